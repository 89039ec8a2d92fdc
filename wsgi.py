"""The WSGI entry point: `gunicorn wsgi:app` (gunicorn.conf.py is read by itself)."""

from app import create_app

app = create_app()
