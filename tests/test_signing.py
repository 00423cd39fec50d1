from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from django.http.request import HttpHeaders
from hypothesis import given
from hypothesis import strategies as st

from cachecheck.errors import SignatureError, StaleSignature, UsageError
from cachecheck.signing import (
    MAX_AGE_SECONDS,
    Keyring,
    Secret,
    VerifiedRequest,
    authenticate_request,
    secret_from_text,
    sign_request,
    sign_response,
    verify_body,
    verify_request,
    verify_response,
)

NOW = 1_800_000_000.25
CREATED = 1_800_000_000
BODY = b'{"protocol":1,"type":"describe"}'
ANSWER = b'{"protocol":1,"type":"description"}'
NONCE = "8Wq3xkq1TqWmD0b9xJm4mw"
OLD = Secret(keyid="2025", key=b"old-" * 8)
NEW = Secret(keyid="2026", key=b"new-" * 8)
STRANGER = Secret(keyid="2026", key=b"bad-" * 8)
RING = Keyring((NEW,))

REQUEST_COVERAGE = ("@method", "content-type", "content-digest", "cachecheck-node")
SHA_512 = f"sha-512=:{base64.b64encode(hashlib.sha512(BODY).digest()).decode()}:"
PARAMETERS = {
    "created": str(CREATED),
    "keyid": '"2026"',
    "expires": str(CREATED + 60),
    "nonce": f'"{NONCE}"',
    "tag": '"cachecheck-probe"',
}


def digest_header(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signed_by_hand(
    values: dict[str, str],
    parameters: dict[str, str],
    *,
    key: bytes = NEW.key,
    label: str = "sig1",
) -> dict[str, str]:
    """Sign as RFC 9421 section 2.5 says, knowing nothing of the library or its strictness.

    ``values`` maps component identifiers, with or without their parameters, to what is signed.
    """
    names = [name if name.startswith('"') else f'"{name}"' for name in values]
    inner = f"({' '.join(names)})" + "".join(f";{k}={v}" for k, v in parameters.items())
    lines = [f"{name}: {value}" for name, value in zip(names, values.values(), strict=True)]
    base = "\n".join([*lines, f'"@signature-params": {inner}'])
    mac = base64.b64encode(hmac.digest(key, base.encode(), "sha256")).decode()
    return {"signature-input": f"{label}={inner}", "signature": f"{label}=:{mac}:"}


def foreign_request(
    coverage: tuple[str, ...] = REQUEST_COVERAGE,
    *,
    drop: str = "",
    key: bytes = NEW.key,
    content_digest: str = digest_header(BODY),
    parameters: dict[str, str] | None = None,
) -> dict[str, str]:
    """A request that somebody who has the key signed in their own way."""
    headers = {
        "content-type": "application/json",
        "content-digest": content_digest,
        "cachecheck-node": "web-1",
        "x-more": "more",
    }
    said = PARAMETERS | (parameters or {})
    said.pop(drop, None)
    values = {"@method": "POST", "@authority": "cachecheck.invalid", **headers}
    return headers | signed_by_hand({name: values[name] for name in coverage}, said, key=key)


def request_headers(**changes: object) -> dict[str, str]:
    arguments = {"keyring": RING, "node": "web-1", "body": BODY, "now": NOW, "nonce": NONCE}
    return sign_request(**(arguments | changes))  # type: ignore[arg-type]


def verified(
    headers: dict[str, str], *, keyring: Keyring = RING, now: float = NOW
) -> VerifiedRequest:
    return verify_request(keyring=keyring, method="POST", headers=headers, now=now)


def exchange(keyring: Keyring = RING) -> tuple[dict[str, str], dict[str, str]]:
    """A request's headers and those of its answer."""
    sent = request_headers(keyring=keyring)
    request = verified(sent, keyring=keyring)
    answer = sign_response(keyring=keyring, request=request, status=200, body=ANSWER, now=NOW)
    return sent, answer


def check_answer(
    sent: dict[str, str],
    headers: dict[str, str],
    *,
    keyring: Keyring = RING,
    status: int = 200,
    body: bytes = ANSWER,
) -> None:
    verify_response(
        keyring=keyring, request_headers=sent, status=status, headers=headers, body=body
    )


# Requests


def test_request_round_trip_says_what_was_signed() -> None:
    headers = request_headers()
    request = verified(headers)
    verify_body(request, BODY)
    assert request == VerifiedRequest(
        keyid="2026",
        nonce=NONCE,
        node="web-1",
        created=CREATED,
        expires=CREATED + MAX_AGE_SECONDS,
        content_digest=hashlib.sha256(BODY).digest(),
        signature=headers["signature"],
    )


def test_signed_headers_are_exactly_those_to_send() -> None:
    headers = request_headers()
    assert set(headers) == {
        "content-type",
        "content-digest",
        "cachecheck-node",
        "signature-input",
        "signature",
    }
    assert headers["content-digest"] == digest_header(BODY)
    assert "alg" not in headers["signature-input"]


def test_signature_is_the_one_that_the_rfc_describes() -> None:
    ours = request_headers()
    values = {name: ours[name] for name in REQUEST_COVERAGE if name in ours}
    theirs = signed_by_hand({"@method": "POST", **values}, PARAMETERS, label="cachecheck")
    assert {name: ours[name] for name in theirs} == theirs


def test_request_of_another_implementation_is_accepted_in_any_order() -> None:
    verified(foreign_request())
    verified(foreign_request(tuple(reversed(REQUEST_COVERAGE))))


def test_empty_body_can_be_signed() -> None:
    verify_body(verified(request_headers(body=b"")), b"")


def test_headers_are_read_as_the_frameworks_give_them() -> None:
    headers = request_headers()
    meta = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    meta["CONTENT_TYPE"] = meta.pop("HTTP_CONTENT_TYPE")
    for arrived in (
        HttpHeaders(meta),
        httpx.Headers(headers),
        {name.title(): value for name, value in headers.items()},
    ):
        request = authenticate_request(keyring=RING, method="POST", headers=arrived)
        assert request.node == "web-1"


@pytest.mark.parametrize("name", ["content-type", "cachecheck-node", "content-digest"])
def test_changed_header_is_refused(name: str) -> None:
    changed = {
        "content-type": "text/plain",
        "cachecheck-node": "web-2",
        "content-digest": digest_header(b"other"),
    }
    with pytest.raises(SignatureError, match="does not hold"):
        verified(request_headers() | {name: changed[name]})


@pytest.mark.parametrize("method", ["GET", "PUT", "post", "", "PÖST", "POST\nX"])
def test_changed_method_is_refused(method: str) -> None:
    with pytest.raises(SignatureError, match="does not hold"):
        authenticate_request(keyring=RING, method=method, headers=request_headers())


def test_changed_body_is_refused() -> None:
    with pytest.raises(SignatureError, match="changed on the way"):
        verify_body(verified(request_headers()), BODY + b" ")


@pytest.mark.parametrize(
    "name", ["content-type", "content-digest", "cachecheck-node", "signature-input", "signature"]
)
def test_missing_header_is_refused_by_name(name: str) -> None:
    headers = request_headers()
    del headers[name]
    with pytest.raises(SignatureError, match=f"no header {name}$"):
        verified(headers)


@pytest.mark.parametrize("name", ["created", "expires", "nonce", "keyid", "tag"])
def test_missing_parameter_is_refused(name: str) -> None:
    with pytest.raises(SignatureError):
        verified(foreign_request(drop=name))


@pytest.mark.parametrize(
    "parameters",
    [
        {"alg": '"hmac-sha256"'},
        {"alg": '"ed25519"'},
        {"extra": "1"},
        {"tag": '"another"'},
        {"tag": "cachecheck-probe"},
        {"expires": str(CREATED + 61)},
        {"expires": str(CREATED)},
        {"expires": str(CREATED - 10)},
        {"created": f"{CREATED}.0"},
        {"created": f'"{CREATED}"'},
        {"created": "?1"},
        {"nonce": '""'},
        {"nonce": f'"{"n" * 129}"'},
        {"nonce": '"a b"'},
        {"nonce": "7"},
    ],
)
def test_other_parameters_are_refused_though_well_signed(parameters: dict[str, str]) -> None:
    with pytest.raises(SignatureError) as caught:
        verified(foreign_request(parameters=parameters))
    assert not isinstance(caught.value, StaleSignature)


@pytest.mark.parametrize("missing", REQUEST_COVERAGE)
def test_missing_coverage_is_refused_though_well_signed(missing: str) -> None:
    coverage = tuple(name for name in REQUEST_COVERAGE if name != missing)
    with pytest.raises(SignatureError, match="cover exactly"):
        verified(foreign_request(coverage))


def test_extra_coverage_is_refused_though_well_signed() -> None:
    with pytest.raises(SignatureError, match="cover exactly"):
        verified(foreign_request((*REQUEST_COVERAGE, "@authority")))
    with pytest.raises(SignatureError, match="does not hold"):
        verified(foreign_request((*REQUEST_COVERAGE, "x-more")))


@pytest.mark.parametrize(
    ("covered", "value"),
    [
        ('"content-digest";sf', digest_header(BODY)),
        ('"content-digest";key="sha-256"', digest_header(BODY).removeprefix("sha-256=")),
        ('"content-digest";req', digest_header(BODY)),
        ('"content-digest";tr', digest_header(BODY)),
        ('"content-digest";bs', f":{base64.b64encode(digest_header(BODY).encode()).decode()}:"),
    ],
)
def test_coverage_in_another_form_is_refused_though_well_signed(covered: str, value: str) -> None:
    headers = request_headers()
    values = {"@method": "POST", covered: value}
    values |= {name: headers[name] for name in ("content-type", "cachecheck-node")}
    with pytest.raises(SignatureError):
        verified(headers | signed_by_hand(values, PARAMETERS))


def test_two_signatures_are_refused_even_if_both_hold() -> None:
    first, second = request_headers(), foreign_request()
    both = {name: f"{first[name]}, {second[name]}" for name in ("signature-input", "signature")}
    with pytest.raises(SignatureError, match="Multiple signatures"):
        verified(first | both)


@pytest.mark.parametrize("name", ["signature", "signature-input", "content-digest", "content-type"])
def test_header_sent_twice_is_refused_joined_or_not(name: str) -> None:
    headers = request_headers()
    for twice in (
        headers | {name: f"{headers[name]}, {headers[name]}"},
        headers | {name.upper(): headers[name]},
    ):
        with pytest.raises(SignatureError):
            verified(twice)


@pytest.mark.parametrize(
    "content_digest",
    [
        "",
        "sha-256=::",
        "sha-256=:AAAA:",
        f"{digest_header(BODY)};a=1",
        f"{digest_header(BODY)}, {digest_header(BODY)}",
        f"{digest_header(BODY)}, {SHA_512}",
        SHA_512,
        digest_header(BODY).replace("sha-256", "md5"),
    ],
)
def test_content_digest_is_exactly_one_sha_256_though_well_signed(content_digest: str) -> None:
    with pytest.raises(SignatureError, match="exactly one sha-256"):
        verified(foreign_request(content_digest=content_digest))


@pytest.mark.parametrize("name", list(request_headers()))
def test_headers_are_bounded_and_printable_ascii(name: str) -> None:
    headers = request_headers()
    for value in (headers[name] + "x" * 1024, headers[name] + "é", headers[name] + "\r\n x", "\0"):
        with pytest.raises(SignatureError, match=f"the header {name}"):
            verified(headers | {name: value})


# Time


@pytest.mark.parametrize("now", [CREATED - 60, CREATED, CREATED + 60])
def test_window_reaches_sixty_seconds_both_ways(now: float) -> None:
    assert verified(request_headers(), now=now).created == CREATED


@pytest.mark.parametrize("skew", [-60.5, 60.5, -86_400, 1e12])
def test_stale_request_says_by_how_much(skew: float) -> None:
    with pytest.raises(StaleSignature) as caught:
        verified(request_headers(), now=CREATED - skew)
    assert caught.value.skew_seconds == skew


def test_request_ends_with_its_own_expiry() -> None:
    headers = foreign_request(parameters={"expires": str(CREATED + 5)})
    assert verified(headers, now=CREATED + 5).expires == CREATED + 5
    with pytest.raises(StaleSignature):
        verified(headers, now=CREATED + 6)


@pytest.mark.parametrize(("window", "last"), [(10, 10), (60, 60), (300, 300)])
def test_window_can_be_set_and_moves_the_expiry_along(window: int, last: int) -> None:
    def verify_at(now: float) -> None:
        verify_request(
            keyring=RING,
            method="POST",
            headers=request_headers(),
            now=now,
            max_age_seconds=window,
        )

    verify_at(CREATED + last)
    verify_at(CREATED - last)
    for now in (CREATED + last + 1, CREATED - last - 1):
        with pytest.raises(StaleSignature):
            verify_at(now)


@pytest.mark.parametrize(
    "headers",
    [
        foreign_request(key=STRANGER.key),
        foreign_request(parameters={"keyid": '"unknown"'}),
        foreign_request(drop="nonce"),
        foreign_request(REQUEST_COVERAGE[1:]),
    ],
)
def test_stale_and_otherwise_wrong_is_not_called_stale(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureError) as caught:
        verified(headers, now=CREATED + 1000)
    assert type(caught.value) is SignatureError


@pytest.mark.parametrize("created", [-999_999_999_999_999, 0, 999_999_999_999_939])
def test_absurd_times_are_stale_not_a_crash(created: int) -> None:
    times = {"created": str(created), "expires": str(created + 60)}
    with pytest.raises(StaleSignature):
        verified(foreign_request(parameters=times))


def test_stale_request_can_still_be_answered() -> None:
    sent = request_headers()
    request = authenticate_request(keyring=RING, method="POST", headers=sent)
    later = NOW + 1000
    answer = sign_response(keyring=RING, request=request, status=200, body=ANSWER, now=later)
    check_answer(sent, answer)


# Secrets


def test_unknown_keyid_reads_like_a_wrong_key() -> None:
    unknown = Secret(keyid="unknown", key=NEW.key)
    messages = set()
    for secret in (STRANGER, unknown):
        with pytest.raises(SignatureError) as caught:
            verified(request_headers(keyring=Keyring((secret,))))
        messages.add((type(caught.value), str(caught.value)))
    assert len(messages) == 1


@pytest.mark.parametrize("signer", [OLD, NEW])
def test_rotation_verifies_both_and_answers_with_the_same_secret(signer: Secret) -> None:
    node, coordinator = Keyring((NEW, OLD)), Keyring((signer,))
    sent = request_headers(keyring=coordinator)
    request = verified(sent, keyring=node)
    assert request.keyid == signer.keyid
    answer = sign_response(keyring=node, request=request, status=200, body=ANSWER, now=NOW)
    check_answer(sent, answer, keyring=coordinator)


def test_keyid_chooses_the_secret_to_sign_with() -> None:
    ring = Keyring((NEW, OLD))
    assert verified(request_headers(keyring=ring), keyring=ring).keyid == "2026"
    assert verified(request_headers(keyring=ring, keyid="2025"), keyring=ring).keyid == "2025"
    with pytest.raises(UsageError, match="no secret has the keyid '2024'"):
        request_headers(keyring=ring, keyid="2024")


def test_retired_secret_cannot_sign_an_answer() -> None:
    request = verified(request_headers(keyring=Keyring((OLD,))), keyring=Keyring((NEW, OLD)))
    with pytest.raises(UsageError, match="2025"):
        sign_response(keyring=RING, request=request, status=200, body=ANSWER, now=NOW)


def test_secret_never_shows() -> None:
    text = "correct horse battery staple, and more"
    secret = secret_from_text(text)
    shown = [repr(secret), str(secret), repr(Keyring((secret,))), f"{secret!r:>80}"]
    for short in ("correct horse", "correct horse\ud800"):
        with pytest.raises(UsageError) as caught:
            secret_from_text(short)
        assert caught.value.__context__ is None
        shown.append(str(caught.value))
    assert not any("correct" in line or "horse" in line for line in shown)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_newline_at_the_end_is_not_part_of_a_secret(ending: str) -> None:
    assert secret_from_text("s" * 32 + ending).key == b"s" * 32


def test_short_secret_is_refused_with_its_length() -> None:
    with pytest.raises(UsageError, match="'default' has 31 bytes, it needs at least 32"):
        secret_from_text("s" * 31 + "\n")
    assert len(secret_from_text("ü" * 16).key) == 32


@pytest.mark.parametrize("keyid", ["", 'a"b', "a b", "ü", "k" * 65, "a\n"])
def test_odd_keyid_is_refused(keyid: str) -> None:
    with pytest.raises(UsageError, match="keyid"):
        Secret(keyid=keyid, key=NEW.key)


def test_keyring_needs_secrets_that_can_be_told_apart() -> None:
    with pytest.raises(UsageError, match="at least one"):
        Keyring(())
    with pytest.raises(UsageError, match="same keyid"):
        Keyring((NEW, STRANGER))


@pytest.mark.parametrize("node", ["", "n" * 201, "wéb", "web\n1", " web", "web ", "web\t1"])
def test_node_that_a_header_cannot_carry_is_refused_on_signing(node: str) -> None:
    with pytest.raises(UsageError, match="the name of a node"):
        request_headers(node=node)


@given(node=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200))
def test_every_printable_node_name_round_trips(node: str) -> None:
    assert verified(request_headers(node=node)).node == node


@pytest.mark.parametrize("nonce", ["", 'n";keyid="x', "n n", "n" * 129])
def test_odd_nonce_is_refused_on_signing(nonce: str) -> None:
    with pytest.raises(UsageError, match="nonce"):
        request_headers(nonce=nonce)


def test_content_type_that_a_header_cannot_carry_is_refused_on_signing() -> None:
    request = verified(request_headers())
    with pytest.raises(UsageError, match="content type"):
        request_headers(content_type="a\r\nb")
    with pytest.raises(UsageError, match="content type"):
        sign_response(keyring=RING, request=request, status=200, body=b"", now=NOW, content_type="")


# Answers


def test_answer_round_trip() -> None:
    sent, answer = exchange()
    check_answer(sent, answer)
    check_answer(sent, {name.title(): value for name, value in answer.items()})
    assert set(answer) == {"content-type", "content-digest", "signature-input", "signature"}


def test_age_of_an_answer_is_not_judged() -> None:
    sent = request_headers()
    answer = sign_response(
        keyring=RING, request=verified(sent), status=200, body=ANSWER, now=NOW + 1e6
    )
    check_answer(sent, answer)


def test_changed_answer_is_refused() -> None:
    sent, answer = exchange()
    with pytest.raises(SignatureError, match="does not hold"):
        check_answer(sent, answer, status=404)
    with pytest.raises(SignatureError, match="does not hold"):
        check_answer(sent, answer | {"content-type": "text/html"})
    with pytest.raises(SignatureError, match="does not hold"):
        check_answer(sent, answer | {"content-digest": digest_header(b"x")}, body=b"x")
    with pytest.raises(SignatureError, match="changed on the way"):
        check_answer(sent, answer, body=b"x")


def test_answer_to_another_request_is_refused() -> None:
    _, answer = exchange()
    replayed_to = request_headers(nonce="another")
    with pytest.raises(SignatureError, match="does not hold"):
        check_answer(replayed_to, answer)


def test_request_reflected_as_its_answer_is_refused() -> None:
    sent = request_headers()
    with pytest.raises(SignatureError):
        check_answer(sent, sent, body=BODY)


def test_unsigned_answer_is_refused_by_what_is_missing() -> None:
    with pytest.raises(SignatureError, match="no header content-digest, signature, signature-inp"):
        check_answer(request_headers(), {"content-type": "text/html"})


def test_answer_with_another_known_secret_is_refused() -> None:
    ring = Keyring((NEW, OLD))
    sent = request_headers(keyring=ring)
    swapped = replace(verified(sent, keyring=ring), keyid="2025")
    answer = sign_response(keyring=ring, request=swapped, status=200, body=ANSWER, now=NOW)
    with pytest.raises(SignatureError, match="another secret than the request"):
        check_answer(sent, answer, keyring=ring)


@pytest.mark.parametrize("change", ["none", "unbound", "two digests", "expires", "nonce", "tag"])
def test_answer_in_another_profile_is_refused_though_well_signed(change: str) -> None:
    sent = request_headers()
    headers = {"content-type": "application/json", "content-digest": digest_header(ANSWER)}
    if change == "two digests":
        headers["content-digest"] += ", sha-512=:AAAA:"
    values = {"@status": "200", **headers, '"signature";req': sent["signature"]}
    said = {name: PARAMETERS[name] for name in ("created", "keyid", "tag")}
    if change == "unbound":
        del values['"signature";req']
    elif change == "tag":
        said["tag"] = '"another"'
    elif change in PARAMETERS:
        said[change] = PARAMETERS[change]
    answer = headers | signed_by_hand(values, said)
    if change == "none":
        check_answer(sent, answer)
        return
    with pytest.raises(SignatureError):
        check_answer(sent, answer)


# Garbage

STRUCTURED = st.text(st.sampled_from('sig1=();,:"@?%*\\-. \t0129abkey{}[]é\0\n'), max_size=200)
GARBAGE = st.one_of(st.text(st.characters(max_codepoint=0x2FF), max_size=300), STRUCTURED)


@given(
    headers=st.dictionaries(st.sampled_from(list(request_headers())), GARBAGE), whole=st.booleans()
)
def test_garbage_in_a_request_is_a_signature_error(headers: dict[str, str], whole: bool) -> None:  # noqa: FBT001 - hypothesis passes it by keyword
    garbled = headers if whole else request_headers() | headers
    if headers or whole:
        with pytest.raises(SignatureError) as caught:
            verified(garbled)
        assert len(str(caught.value)) < 200
        assert str(caught.value).isprintable()


@given(headers=st.dictionaries(st.sampled_from(list(exchange()[1])), GARBAGE, min_size=1))
def test_garbage_in_an_answer_is_a_signature_error(headers: dict[str, str]) -> None:
    sent, answer = exchange()
    with pytest.raises(SignatureError):
        check_answer(sent, answer | headers)


@given(data=st.data())
def test_no_spliced_signature_header_verifies_or_crashes(data: st.DataObject) -> None:
    headers = request_headers()
    name = data.draw(st.sampled_from(["signature-input", "signature"]))
    value = headers[name]
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, len(value)))
    changed = value[:start] + data.draw(STRUCTURED) + value[end:]
    try:
        request = verified(headers | {name: changed})
    except SignatureError:
        return
    # Labels, spaces and base64 padding are not signed; all that is believed is.
    assert replace(request, signature=headers["signature"]) == verified(headers)


@given(covered=STRUCTURED, parameters=STRUCTURED)
def test_garbage_within_a_signature_input_is_a_signature_error(
    covered: str, parameters: str
) -> None:
    with pytest.raises(SignatureError):
        verified(request_headers() | {"signature-input": f"cachecheck=({covered}){parameters}"})


# The library


def test_importing_does_not_load_the_library() -> None:
    code = (
        "import sys, cachecheck.signing as s\n"
        "s.Keyring((s.secret_from_text('k' * 32),))\n"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " ('http_message_signatures', 'http_sf', 'cryptography')])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert printed.stdout.strip() == b"[]"


def test_threads_can_share_a_keyring() -> None:
    ring = Keyring((NEW, OLD))

    def one(number: int) -> str:
        secret = ring.secrets[number % 2]
        sent = request_headers(keyring=ring, node=f"web-{number}", keyid=secret.keyid)
        request = verified(sent, keyring=ring)
        answer = sign_response(keyring=ring, request=request, status=200, body=ANSWER, now=NOW)
        check_answer(sent, answer, keyring=ring)
        return request.node

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(200))) == [f"web-{number}" for number in range(200)]
