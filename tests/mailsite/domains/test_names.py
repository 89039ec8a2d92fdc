"""Local parts: how they may look, whose they may be (RFC 2142, RFC 5233)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadInput
from mailsite_ext.domains.app_passwords import as_typed, canonical, is_app_password
from mailsite_ext.domains.names import fold, is_reserved, parse_name, split_detail, suggest_name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ada", "ada"),
        (" ada.lovelace ", "ada.lovelace"),
        ("o'hara", "o'hara"),
        ("a-b_c1", "a-b_c1"),
        ("Jürgen", "jürgen"),
        ("Ju\u0308rgen", "jürgen"),  # the same name, typed on another keyboard
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("Straße", "strasse"),
        ("x", "x"),
        ("甲乙", "甲乙"),
    ],
)
def test_names_in_their_one_spelling(typed, name):
    assert parse_name("name", typed) == name


@pytest.mark.parametrize(
    "typed",
    ["", " ", "a b", "a@b", "a+b", "*", ".a", "a.", "a..b", "-a", "a/b", "..", "a\\b", 'a"b', "a,b", "x" * 65, "é" * 33,
     "a\u200bb", "a\u202eb", "a\nb", "a\u00a0b", "😀", "a%b", "a\u2024b"],
)  # fmt: skip
def test_what_is_no_name(typed):
    with pytest.raises(BadInput) as error:
        parse_name("name", typed)
    assert error.value.field == "name"


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused_and_a_name_stays_itself(text):
    try:
        name = parse_name("name", text)
    except BadInput:
        return
    assert parse_name("name", name) == name == fold(name)
    assert len(name.encode()) <= 64
    assert not set(name) & set('@+*/\\\0 "<>')


@pytest.mark.parametrize(
    "name", ["admin", "administrator", "hostmaster", "webmaster", "postmaster", "abuse", "security", "root", "ssl"]
)
def test_names_that_decide_over_a_domain_are_reserved(name):
    assert is_reserved(fold(name.upper()))


@pytest.mark.parametrize(
    ("local", "parts"),
    [("ada", ("ada", "")), ("ada+shop", ("ada", "shop")), ("ada+a+b", ("ada", "a+b")), ("+x", ("", "x"))],
)
def test_subaddresses(local, parts):
    assert split_detail(local) == parts


@pytest.mark.parametrize(
    ("email", "name"),
    [("Ada@x.example", "ada"), ("ada+x@x.example", "ada"), ("a%b@x.example", ""), ("", "")],
)
def test_a_name_after_the_mail_address(email, name):
    assert suggest_name(email) == name


@given(st.binary(min_size=16, max_size=16))
def test_app_passwords_are_known_however_they_are_typed(octets):
    password = as_typed(octets)
    bare = password.replace("-", "")
    assert len(bare) == 26
    for typed in (password, bare, bare.upper(), password.replace("-", " "), f" {password}\t"):
        assert is_app_password(typed)
        assert canonical(typed) == password


@pytest.mark.parametrize(
    "password", ["", "hunter2", "correct horse battery", "a" * 25, "a" * 27, "1" * 26, "a" * 5_000]
)
def test_other_passwords_are_not(password):
    assert not is_app_password(password)
