import pytest

from ast_edge.sources.stream_url import check_url, is_rtsp, secrets_of, shown_url, with_lower_scheme

CAMERA = "rtsp://admin:pa%2Fss@cam.local:8554/live/1?token=abc"


@pytest.mark.parametrize(
    "url",
    [
        CAMERA,
        "https://radio.example/stream",
        "RTSP://cam/1",
        "srt://relay:9000?streamid=garden&passphrase=hush",
        "rtmp://relay/live/garden",
        "rtsps://[fe80::1]:322/x",
        "http://h:8000/a?b=c@d"[:18],
    ],
)
def test_an_address_of_a_stream_is_taken(url):
    check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("camera", "begins with rtsp, rtsps, http, https, srt, rtmp, rtmps and ://"),
        ("file:///etc/passwd", "begins with rtsp"),
        ("concat:a|b", "begins with rtsp"),
        ("rtsp://", "a host after rtsp://"),
        ("rtsp://admin:pa/ss@cam/live", "is not a URL; in a password write '/'"),
        ("rtsp://admin:12/34@cam/live", "has an '@' after the host; in a password write '/'"),
        ("rtsp://cam/a b", "no spaces"),
        ("rtsp://cam/a\n", "no spaces"),
    ],
)
def test_anything_else_is_refused_without_quoting_it(url, reason):
    with pytest.raises(ValueError, match=r"^(expected|is|has|a URL)") as caught:
        check_url(url)
    assert reason in str(caught.value)
    assert not {"admin", "34@", "pa/ss", "passwd"} & set(str(caught.value).split())


def test_only_scheme_host_and_port_are_shown():
    assert shown_url(CAMERA) == "rtsp://cam.local:8554"
    assert shown_url("http://[fe80::1]/key") == "http://[fe80::1]"


@pytest.mark.parametrize("secret", ["1", "a", "on"])
def test_a_short_password_is_hidden_in_the_address_and_garbles_nothing_else(secret):
    url = f"rtsp://u:{secret}@cam.local:8554/live/{secret}"
    said = f"{url}: cannot open rtsp://u:{secret}@cam.local:8554/x: 401 Unauthorized"
    for hidden, shown in secrets_of(url).items():
        said = said.replace(hidden, shown)
    where = "rtsp://cam.local:8554"
    assert said == f"{where}: cannot open rtsp://***@cam.local:8554/x: 401 Unauthorized"


def test_no_secret_is_left_in_a_message_that_quotes_the_address():
    said = f"{CAMERA}: 401 for admin:pa%2Fss, pa/ss, token=abc"
    for secret, shown in secrets_of(CAMERA).items():
        said = said.replace(secret, shown)
    assert said == "rtsp://cam.local:8554: 401 for ***, ***, ***"


def test_what_is_too_short_to_be_told_from_other_words_garbles_no_message():
    said = "the a in camera is no secret; rtsp://me:a@cam/x is one, and so is me:a"
    for secret, shown in secrets_of("rtsp://me:a@cam/x").items():
        said = said.replace(secret, shown)
    assert said == "the a in camera is no secret; rtsp://cam is one, and so is ***"


def test_the_scheme_is_written_as_ffmpeg_knows_it():
    assert with_lower_scheme("RTSPS://Cam/X") == "rtsps://Cam/X"
    assert is_rtsp("RTSP://cam/x")
    assert not is_rtsp("http://cam/rtsp")
