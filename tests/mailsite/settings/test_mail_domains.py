"""Mail Domains (O3) as they are typed, and as they are kept."""

import pytest

from app.errors import BadInput
from mailsite_ext.errors import DomainNotAllowed
from mailsite_ext.settings.mail_domains import parse_domains, parse_forwarders


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", ()),
        (" , ,", ()),
        ("Example.ORG", ("example.org",)),
        ("example.org, mail.example.org", ("example.org", "mail.example.org")),
        ("example.org;\nexample.net example.org.", ("example.org", "example.net")),
        ("bücher.example", ("xn--bcher-kva.example",)),
        ("BÜCHER.example", ("xn--bcher-kva.example",)),
        ("xn--bcher-kva.example", ("xn--bcher-kva.example",)),
        ("例え。テスト", ("xn--r8jz45g.xn--zckzah",)),
    ],
)
def test_domains_in_their_one_spelling(typed, kept):
    assert parse_domains(typed, test_mode=False) == kept


@pytest.mark.parametrize(
    "wrong",
    ["a..b", "-a.example", "a-.example", "a_b.example", "http://example.org", "x" * 64 + ".example", "1.2.3.4.5",
     "user@example.org", "*.example.org", "xn--a.example", "a." * 127 + "example",
     "\u0000.example", "é" * 80 + ".example"],
)  # fmt: skip
@pytest.mark.parametrize("test_mode", [True, False])
def test_what_is_no_domain_is_named(wrong, test_mode):
    with pytest.raises(BadInput) as error:
        parse_domains(f"good.example, {wrong}", test_mode=test_mode)
    assert error.value.field == "domains"
    assert error.value.detail == wrong[:100]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("localhost", "localhost"),
        ("127.0.0.1", "[127.0.0.1]"),
        ("[127.0.0.1]", "[127.0.0.1]"),
        ("[IPv6:0::1]", "[IPv6:::1]"),
        ("::1", "[IPv6:::1]"),
    ],
)
def test_single_labels_and_literals_belong_to_test_mode(typed, kept):
    assert parse_domains(typed, test_mode=True) == (kept,)
    with pytest.raises(DomainNotAllowed) as error:
        parse_domains(typed, test_mode=False)
    assert error.value.detail == kept


def test_the_list_is_bounded():
    with pytest.raises(BadInput):
        parse_domains(",".join(f"d{number}.example" for number in range(501)), test_mode=False)


@pytest.mark.parametrize("typed", ["co.uk", "com", "localhost", "github.io", "[127.0.0.1]"])
def test_no_forwarder_has_a_shared_domain(typed):
    with pytest.raises(DomainNotAllowed) as error:
        parse_forwarders(f"list.example, {typed}")
    assert error.value.detail == typed


def test_forwarders_are_bounded():
    assert len(parse_forwarders(" ".join(f"n{number}.example" for number in range(100)))) == 100
    with pytest.raises(BadInput):
        parse_forwarders(" ".join(f"n{number}.example" for number in range(101)))
