"""What is found and replaced by a placeholder, and which values stay usable."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.curation.privacy import Redacted, redact

PERSONAL = {
    "EMAIL_ADDRESS": [
        "ana@example.org",
        "O'Brien.x+tag@mail.co.uk",
        "müller@exämple.de",
        "bob@sub.domain.com.au",
    ],
    "PHONE_NUMBER": [
        "+49 30 901820",
        "+44 20 7946 0958",
        "+1 (415) 555-2671",
        "+33 6 84 46 26 97",
        "+91 98765 43210",
        "+81 3-1234-5678",
        "+55 11 91234-5678",
        "+8613800138000",
        "0049 30 901820",
        "(415) 555-2671",
        "415-555-2671",
        "415.555.2671",
        "1-800-555-0199",
        "(030) 90182023",
        "030 901820 23",
        "06 84 46 26 97",
        "02 9374 4000",
    ],
    "CREDIT_CARD": ["4111 1111 1111 1111", "4111-1111-1111-1111", "5500005555555559", "378282246310005"],
    "IBAN_CODE": [
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "FR1420041010050500013M02606",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
    ],
    "IP_ADDRESS": ["192.168.12.44", "84.17.45.9", "2001:db8:85a3::8a2e:370:7334"],
    "MAC_ADDRESS": ["00:1B:44:11:3A:B7", "00-1B-44-11-3A-B7", "001B.4411.3AB7"],
    "CRYPTO": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"],
    "US_SSN": ["536-90-4399"],
    "ES_NIF": ["12345678Z"],
    "ES_NIE": ["X1234567L"],
    "IT_FISCAL_CODE": ["RSSMRA85T10A562S"],
    "FI_PERSONAL_IDENTITY_CODE": ["131052-308T"],
    "SE_PERSONNUMMER": ["811228-9874"],
    "IN_AADHAAR": ["2345 6789 0124"],
}
IN_OTHER_SIGNS = {
    "ana＠example.org": "<EMAIL_ADDRESS>",
    "４１１１ １１１１ １１１１ １１１１": "<CREDIT_CARD>",
    "de89 3704 0044 0532 0130 00": "<IBAN_CODE>",
    "gb29nwbk60161331926819": "<IBAN_CODE>",
    "'%+49 170 1234567%'": "'%<PHONE_NUMBER>%'",
    "ﬁne ana＠example.org ﬁne": "ﬁne <EMAIL_ADDRESS> ﬁne",
}
NAMED_PHONES = ["phone 4155552671", "cell_phone 09700166582", "Tel: 030901820", "mobile number 07911123456"]
JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
KEYS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11ABCDEFG0123456789abc_DEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456",
    "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "sk-abcdefghijklmnopqrstT3BlbkFJabcdefghijklmnopqrst",
    "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789T3BlbkFJabcdefghijklmnopqrstuvwxyz0123",
    "sk-ant-api03-Zx8Kd02Jq-LmNoPqRsTuVwXyZ0123456789abcdEFGH_ijklmnopQRST",
    "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "glpat-AbCdEf1234567890abcd",
    "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",
    "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
    "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    JWT,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r",
]
ASSIGNED = {
    "https://admin:s3cr3tpass@db.example.com/prod": "https://admin:<SECRET>@db.example.com/prod",
    "postgres://user:hunter2@localhost:5432/db": "postgres://user:<SECRET>@localhost:5432/db",
    "password = 'hunter22' please": "password = '<SECRET>' please",
    "password: hunter22, please": "password: <SECRET>, please",
    "pwd=Tr0ub4dor": "pwd=<SECRET>",
    "my password is hunter2": "my password is <SECRET>",
    "password for bob is Winter2024": "password for bob is <SECRET>",
    "Passwort: geheim123": "Passwort: <SECRET>",
    "das Kennwort lautet geheim123": "das Kennwort lautet <SECRET>",
    'api_key: "abcdef123"': 'api_key: "<SECRET>"',
    "pwd: hunter2x then api_key: abc123": "pwd: <SECRET> then api_key: <SECRET>",
}
VALUES = [
    "2008-01-01 and 2009-12-31 10:30:45",
    "12/31/2008, 31.12.2008, 2008/1/1",
    "between 2013 and 2014, season 1990-2000 or 2013/14",
    "zip 12345-6789, 94103",
    "ISBN 978-3-16-148410-0 and 978-0785111832",
    "order 20240101000123, epoch 1700000000000 or 1700000000000000",
    "sku AB-1234-XY, AB123456C, catalogue number 602517739468",
    "d41d8cd98f00b204e9800998ecf8427e",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "550e8400-e29b-41d4-a716-446655440000",
    "12.345.678 Euro, 1 234 567 890, 12,345,678",
    "47.623288, -122.3321, 964017.2297960471, 0.17300000000000001",
    "geo id larger than 3809959540",
    "v1.2.3, version 4.7.0.208, mask 255.255.255.128, 224.0.0.0",
    "https://example.com/a/b?c=d",
    "John Smith in Berlin, Mr. O'Neill",
    "account_key = 'A-100', client_key: 'B-17', secretary = 'Bob Smith', top_secret = 'yes'",
    "the password: is it stored?",
    "password length is 8 chars, the password is sha256 or varchar(20), is the password of user 12 set",
    "hotel 12345678, chassis 625 553 500, fleet 3000–3015",
    "CustomerAddressHistoryTableSnapshotView, --9e1ONYQuAa-CB_Rrw7Tg",
    "x::int, score 6-4 6-3 7-6, 110-105, LIKE '%@gmail.com'",
]
PLANTED = [
    *(value for values in PERSONAL.values() for value in values),
    *NAMED_PHONES,
    *KEYS,
    *ASSIGNED,
]
"""Everything above that has to be found."""


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in PERSONAL.items() for value in values])
def test_personal_data_gives_way_to_a_placeholder_of_its_kind(kind: str, value: str):
    assert redact(f"rows of {value}, please") == Redacted(f"rows of <{kind}>, please", {kind: 1})


@pytest.mark.parametrize("value", NAMED_PHONES)
def test_bare_digits_are_a_phone_number_where_a_word_says_so(value: str):
    word = value.rsplit(" ", 1)[0]

    assert redact(f"rows of {value}, please").text == f"rows of {word} <PHONE_NUMBER>, please"


def test_the_word_before_digits_may_stand_before_the_text():
    assert redact("4155552671", "WHERE phone = '").text == "<PHONE_NUMBER>"
    assert redact("4155552671", "WHERE order_number = '").text == "4155552671"
    assert redact("4155552671", "WHERE phone = '1' AND n = '").text == "4155552671"


@pytest.mark.parametrize("key", KEYS)
def test_keys_and_tokens_go_as_a_whole(key: str):
    assert redact(f"use {key} now.") in (
        Redacted("use <SECRET> now.", {"SECRET": 1}),
        Redacted("use <SECRET>", {"SECRET": 1}),  # a private key without an end
    )


@pytest.mark.parametrize(("text", "safe"), ASSIGNED.items())
def test_of_an_assignment_only_the_value_goes(text: str, safe: str):
    assert redact(text).text == safe


@pytest.mark.parametrize(("text", "safe"), IN_OTHER_SIGNS.items())
def test_data_is_found_in_wide_signs_small_letters_and_between_wildcards(text: str, safe: str):
    assert redact(text).text == safe
    assert redact(safe).text == safe


@pytest.mark.parametrize("joint", [", ", " and ", " or ", " und ", " to "])
def test_a_list_of_phone_numbers_is_one_list(joint: str):
    text = redact(f"phone 2125550123{joint}2125559999, 2125558888 and order 2125557777").text

    assert text == f"phone <PHONE_NUMBER>{joint}<PHONE_NUMBER>, <PHONE_NUMBER> and order 2125557777"


@pytest.mark.parametrize("text", VALUES)
def test_values_that_databases_hold_stay(text: str):
    assert redact(text) == Redacted(text)


def test_a_placeholder_of_a_phone_number_names_no_other_phone():
    text = redact("phone 4155552671, geo id 3809959540 and +49 30 901820, order 3809959541").text

    assert text == "phone <PHONE_NUMBER>, geo id 3809959540 and <PHONE_NUMBER>, order 3809959541"
    assert redact(text).text == text


def test_what_overlaps_is_one_finding_and_kinds_are_counted():
    redacted = redact("ana@example.org, bob@example.org and +49 30 901820")

    assert redacted.text == "<EMAIL_ADDRESS>, <EMAIL_ADDRESS> and <PHONE_NUMBER>"
    assert redacted.counts == {"EMAIL_ADDRESS": 2, "PHONE_NUMBER": 1}


@pytest.mark.parametrize("place", [0, 1_640, 1_700, 1_990, 3_300])
def test_data_is_found_wherever_in_a_long_text_it_stands(place: int):
    text = "x " * (place // 2) + "ana@example.org" + " y" * 2_000

    assert redact(text).text == text.replace("ana@example.org", "<EMAIL_ADDRESS>")


@given(
    st.lists(st.sampled_from([*PLANTED, *VALUES, "=", "'", "key", " ", "1", "@", "\n"]), max_size=6),
    st.sampled_from(["", " ", ", "]),
)
def test_redacting_again_changes_nothing(pieces: list[str], joint: str):
    once = redact(joint.join(pieces)).text

    assert redact(once) == Redacted(once)


@settings(max_examples=30)
@given(st.sampled_from(PLANTED))
def test_the_same_text_always_becomes_the_same(value: str):
    assert redact(f"x {value} y") == redact(f"x {value} y")


def test_nothing_found_is_ever_logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]):
    caplog.set_level(logging.DEBUG)
    for value in PLANTED:
        redact(f"see {value}")

    printed = capsys.readouterr()
    told = caplog.text + printed.out + printed.err
    assert not [value for value in PLANTED if value in told]
