"""How text is cut into pieces."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.text import splitting
from thirdshift.records import Extract, Piece

SENTENCE = "吾輩はここで始めて人間というものを見た。"
KINDS = [("text", ""), ("markdown", ""), ("code", "python"), ("code", "typescript"), ("code", "")]


def pieces(text: str, kind: str = "text", language: str = "", tokens: int = 256) -> list[Piece]:
    return splitting.split(Extract(text=text, title="", kind=kind, language=language), tokens)


def left_out(text: str, found: list[Piece], tokens: int) -> str:
    """Return what no piece covers, once each is seen to be exact, in order and within budget."""
    covered = list(text)
    for piece in found:
        a, b = piece.span
        assert piece.text == text[a:b]
        assert splitting.count(piece.text) <= tokens
        covered[a:b] = " " * (b - a)
    spans = [piece.span for piece in found]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    return "".join(covered).strip()


@settings(deadline=None, max_examples=200)
@given(
    text=st.lists(
        st.one_of(
            st.text(),
            st.sampled_from(
                ["# Head\n", "\n\n", SENTENCE, "word ", "def f(x):\n", "```", "\r\n", "👩‍👧"]
            ),
        ),
        max_size=60,
    ).map("".join),
    kind=st.sampled_from(KINDS),
)
def test_pieces_are_exact_in_budget_and_cover_the_text(text: str, kind: tuple[str, str]) -> None:
    assert left_out(text, pieces(text, *kind, tokens=64), 64) == ""


def test_japanese_is_cut_after_sentences() -> None:
    found = pieces(SENTENCE * 300)
    assert len(found) > 5
    assert all(piece.text.endswith("。") for piece in found)


def test_a_heading_stays_with_the_text_below_it() -> None:
    text = "".join(f"## Section {n}\n\n{'Some words follow here. ' * 30}\n\n" for n in range(20))
    for kind in ("markdown", "html"):
        for piece in pieces(text, kind):
            assert not re.search(r"(^|\n)## [^\n]*\s*$", piece.text)


def test_code_is_cut_between_functions() -> None:
    text = "".join(f"def f{n}(x):\n    y = x + {n}\n    return y * 2\n\n\n" for n in range(60))
    found = pieces(text, "code", "python")
    assert len(found) > 3
    assert all(piece.text.startswith("def ") for piece in found)


@pytest.mark.parametrize(
    ("text", "kind", "language"),
    [
        ("function a(b){return b+1};var x=[1,2];" * 3000, "code", "javascript"),
        ("a" * 100_000, "text", ""),
        ("猫" * 50_000, "text", ""),
        (">" * 10_000 + " x", "markdown", ""),
        ("(" * 10_000, "code", "python"),
        ("a" + "\u0301" * 20_000, "text", ""),
    ],
)
def test_hostile_text_neither_hangs_nor_overflows(text: str, kind: str, language: str) -> None:
    assert left_out(text, pieces(text, kind, language), 256) == ""


def test_empty_text_has_no_pieces() -> None:
    assert pieces("") == []
    assert pieces(" \n ") == []
