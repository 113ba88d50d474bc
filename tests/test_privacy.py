from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.privacy import mask

MASKED = [
    ("010-1234-5678로 연락주세요", "[전화번호]로 연락주세요"),
    ("０１０ １２３４ ５６７８이에요", "[전화번호]이에요"),
    ("공일공 일이삼사 오육칠팔", "[전화번호]"),
    ("+82 10-1234-5678", "[전화번호]"),
    ("집은 031)123-4567", "집은 [전화번호]"),
    ("990101-1234567", "[주민등록번호]"),
    ("2103014234567입니다", "[주민등록번호]입니다"),
    ("me.you@school.kr 로 보내 주세요", "[이메일] 로 보내 주세요"),
    ("학번은 20231234예요", "[학번]예요"),
    ("국민은행 123456-01-123456", "[계좌번호]"),
    ("카카오뱅크 3333012345678", "[계좌번호]"),
    ("4111 1111 1111 1111", "[카드번호]"),
    ("여권 M12345678", "여권 [여권번호]"),
    ("면허 11-22-123456-33", "면허 [운전면허번호]"),
    ("사업자 123-45-67890", "사업자 [사업자등록번호]"),
    ("한빛고등학교 3학년 2반 김민수입니다", "[학교와 이름]입니다"),
    ("101동 1203호 살아요", "[주소] 살아요"),
    ("제 이름은 박지우예요", "[이름]예요"),
]
KEPT = [
    "109, 1388, 117, 1366, 112, 119, 1577-0199에 전화해 보세요",
    "031-1388로 걸어 보세요",
    "3학년 2반이에요",
    "3학년 2반 반장이에요",
    "연봉 3200만원, 2등급, 380점, 모집인원 120명, 2026년 3월 14일",
    "1234 5678 9012 3456",
    "수능 20261119",
    "은행 취업하려면 3000 5000 필요한가요",
    "우리 학교 2023년 12월 25일",
    "A12 B34 반 편성",
]


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_what_identifies_is_masked(text: str, masked: str) -> None:
    result = mask(text)
    assert result.text == masked
    assert result.found.total() == 1


@pytest.mark.parametrize("text", KEPT)
def test_the_rest_stays(text: str) -> None:
    assert mask(text).text == text


@given(st.text(alphabet="0123456789-. 가나다라@abc학번은행", max_size=80))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask(text).text
    assert mask(once).text == once


def test_counts_never_hold_what_was_found() -> None:
    found = mask("010-1234-5678, a@b.kr, 010-9999-8888").found
    assert dict(found) == {"전화번호": 2, "이메일": 1}


def test_what_presidio_finds_is_masked_too() -> None:
    """An independent check: Microsoft Presidio's recognisers of Korean numbers, over texts of their kinds."""
    from presidio_analyzer.predefined_recognizers import (
        KrBrnRecognizer,
        KrDriverLicenseRecognizer,
        KrFrnRecognizer,
        KrPassportRecognizer,
        KrRrnRecognizer,
    )

    texts = [
        "주민번호 960121-1234567 입니다",
        "제 주민등록번호는 0101013456789 예요",
        "외국인등록번호 900101-5678901",
        "여권번호 M12345678, 예전 여권 S98765432",
        "신여권 M123A4567 이에요",
        "면허번호는 11-22-123456-33 입니다",
        "사업자등록번호 123-45-67891 로 끊어 주세요",
        "사업자 220-81-62517",
    ]
    found = 0
    for recognizer in (
        KrRrnRecognizer(),
        KrFrnRecognizer(),
        KrPassportRecognizer(),
        KrDriverLicenseRecognizer(),
        KrBrnRecognizer(),
    ):
        for text in texts:
            for result in recognizer.analyze(text, recognizer.supported_entities, None):
                found += 1
                assert text[result.start : result.end] not in mask(text).text, (recognizer.name, text)
    assert found >= 5
