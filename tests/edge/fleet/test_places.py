import pytest

from ast_edge.fleet.places import Places, parse_place

PLACES = Places(["https://models.example.org/ast/", "http://10.0.0.2:8080"])


@pytest.mark.parametrize(
    "url",
    [
        "https://models.example.org/ast/home-2",
        "https://models.example.org/ast",
        "https://MODELS.example.org:443/ast/a/b/",
        "https://models.example.org/ast/home?signature=abc%2F",
        "http://10.0.0.2:8080/anything",
    ],
)
def test_what_lies_below_a_place_is_allowed(url):
    assert PLACES.allow(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example.org/ast/home",
        "https://models.example.org/astray/home",
        "https://models.example.org/other",
        "https://models.example.org:8443/ast/home",
        "https://models.example.org.evil.net/ast/home",
        "https://evil.net/https://models.example.org/ast/",
        "https://models.example.org@evil.net/ast/home",
        "https://models.example.org/ast/../other",
        "https://models.example.org/ast/%2e%2e/other",
        "https://models.example.org/ast/..%2fother",
        "https://models.example.org/ast//other",
        "https://models.example.org\\@evil.net/ast/",
        "https://models.example.org/ast/\nx",
        "https://xn--/ast/",
        "http://10.0.0.2/anything",
        "https://10.0.0.2:8080/anything",
        "file:///ast/",
        "ast/home",
        "",
    ],
)
def test_all_else_is_not(url):
    assert not PLACES.allow(url)


@pytest.mark.parametrize(
    "url", ["https://", "https://h:99999/", "https://a b/", "https://u:p@h/", "ftp://h/", "x"]
)
def test_what_is_no_place_is_said_without_a_password(url):
    with pytest.raises(ValueError, match="expected") as caught:
        parse_place(url)
    assert "u:p" not in str(caught.value)
