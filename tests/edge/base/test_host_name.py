import pytest

from ast_edge.base.host_name import host_fault


@pytest.mark.parametrize(
    "host",
    [
        *(
            "localhost",
            "broker.local",
            "broker.local.",
            "my_broker",
            "a-b",
            "x",
            "bücher.local",
            "7up",
        ),
        *("192.168.1.20", "0.0.0.0", "::1", "fe80::1%eth0", "2001:db8::7", "1.broker", "a" * 63),
    ],
)
def test_what_a_host_can_be_called(host):
    assert host_fault(host) == ""


@pytest.mark.parametrize(
    "host",
    [
        *("", " ", "my broker", "a..b", ".a", ".", "-a", "a-", "a.-b", "a" * 64, "a" * 300, "a/b"),
        *("192.168.1.300", "10.168.1", "192.168.1.2.3", "1234", "1", "broker.5", "01.2.3.4"),
        *(
            "1::2::3",
            "::g",
            "a:b:c",
            "hösche\0",
            "a\nb",
            "tab\t",
            "user@a",
            "[::1]",
            "²",
            "a*",
            "$x",
        ),
    ],
)
def test_what_no_host_is_called_has_a_reason_that_does_not_quote_it(host):
    fault = host_fault(host)
    assert fault
    assert len(host) < 4 or host not in fault
