"""Who may write: people and their programs, and no page of another site in their name."""

import pytest

WRITES = {
    "get": lambda client, headers: client.get("/add?message=x", headers=headers),
    "post": lambda client, headers: client.post("/add", data={"message": "x"}, headers=headers),
}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1", "Sec-Fetch-Dest": "document"}
#: What a Codespace's proxy makes of a request of our own page.
FORWARDED = {
    "Host": "localhost:8080",
    "Origin": "https://name-8080.app.github.dev",
    "X-Forwarded-Host": "name-8080.app.github.dev",
}


@pytest.mark.parametrize("how", WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "none", **LINK},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Origin": "http://localhost"},
        {"Referer": "http://localhost/"},
        {**FORWARDED, "Sec-Fetch-Site": "same-origin"},
        FORWARDED,
    ],
)
def test_people_programs_and_our_own_page_may_write(client, how, headers):
    assert WRITES[how](client, headers).status_code == 200


@pytest.mark.parametrize("how", WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", **LINK},
        # Another port of this machine, another Codespace.
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Origin": "http://[broken"},
        {"Referer": "http://elsewhere.example/page?http://localhost/"},
        {**FORWARDED, "Origin": "https://other-8080.app.github.dev"},
        {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"},
        {"Sec-Purpose": "prefetch"},
        {"Purpose": "prefetch"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
)
def test_other_sites_and_guesses_write_nothing_and_are_told_how(client, how, headers):
    answer = WRITES[how](client, headers)
    assert (answer.status_code, answer.get_json()["status"]) == (403, "error")
    assert "address" in answer.get_json()["next"]
    assert client.get("/count").get_json() == {"count": 0}


@pytest.mark.parametrize("path", ["/", "/count", "/consultation", "/status", "/health"])
def test_reading_is_open_to_links_and_guesses(client, path):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Purpose": "prefetch"}
    assert client.get(path, headers=headers).status_code == 200


def test_a_head_writes_nothing(client):
    answer = client.head("/add?message=x")
    assert answer.status_code == 405
    assert {part.strip() for part in answer.headers["Allow"].split(",")} == {"GET", "POST"}
    assert client.get("/count").get_json() == {"count": 0}
