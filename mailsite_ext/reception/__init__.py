"""What is asked about a message from outside before anybody gets it."""
