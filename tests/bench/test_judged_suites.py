"""The suites that a judge grades: rows in the published schemas, made up, and wrong files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from drawing import baby_row, hle_row, png, shade_of, write_baby, write_rows

from atlas_mcp.bench.registry import load
from atlas_mcp.core.errors import BadRequestError


def test_hle_questions_come_with_their_images_and_stay_private(tmp_path: Path) -> None:
    others = hle_row(90, Verified_Classes="Revision subset")
    file = write_rows(tmp_path / "hle.jsonl", [*map(hle_row, range(6)), others])
    suite = load(f"hle-verified:{file}")
    assert suite.private
    assert [note.split(" questions")[0] for note in suite.notes] == ["1", "6 of the 668"]
    items = {int(one.id, 16): one for one in suite.items}
    assert sorted(items) == list(range(6))
    assert list(items) != sorted(items)
    assert (items[3].text, items[3].gold) == ("Which secret has number 3?", "the answer 3")
    assert {one.grading for one in suite.items} == {"judge"}
    assert [items[n].answer_kind for n in (3, 4)] == ["auto", "choice"]
    shown = {n: [shade_of(file.data) for file in one.attachments] for n, one in items.items()}
    assert shown == {0: [0], 3: [3], 1: [], 2: [], 4: [], 5: []}


def test_rows_of_hle_without_the_json_column_are_read_too(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "hle.jsonl", [json.loads(hle_row(3)["json"])])
    [item] = load(f"hle-verified:{file}").items
    assert (item.gold, len(item.attachments)) == ("the answer 3", 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (hle_row(1, Verified_Classes="Revision subset"), "holds 0 questions of the Gold subset"),
        (hle_row(1, answer_type="essay"), "answer_type is not exactMatch or multipleChoice"),
        (hle_row(1, image="data:image/png;base64,AAAA"), "no PNG, JPEG, GIF or WebP"),
        (hle_row(1, image="data:image/png;base64,A!"), "image cannot be read"),
        (hle_row(1, image="../../etc/passwd"), "lies outside"),
        ({**hle_row(1), "json": "{"}, "json cannot be read"),
        ({**hle_row(1), "json": hle_row(2)["json"]}, "json is of another question"),
        ({"id": "1", "question": "?", "answer": "!"}, "no Verified_Classes"),
    ],
)
def test_a_wrong_file_for_hle_is_refused_with_the_reason(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    file = write_rows(tmp_path / "hle.jsonl", [row])
    with pytest.raises(BadRequestError, match=reason):
        load(f"hle-verified:{file}")


def test_a_question_that_comes_twice_is_refused(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "hle.jsonl", [hle_row(1), hle_row(1)])
    with pytest.raises(BadRequestError, match=r"several questions with the id 0+1"):
        load(f"hle-verified:{file}")


def test_baby_vision_has_choices_by_letter_and_blanks_for_the_judge(tmp_path: Path) -> None:
    suite = load(f"babyvision:{write_baby(tmp_path / 'baby')}")
    assert len(suite.items) == 388
    choice, blank = suite.items[2], suite.items[7]
    assert choice.text == "Which one differs?\n\n(A) a circle\n(B) a square\n(C) a star"
    assert (choice.gold, choice.answer_kind, choice.grading) == ("C", "choice", "gold")
    assert (blank.text, blank.gold, blank.grading) == ("How dark is it?", "shade 7", "judge")
    assert [shade_of(one.data) for one in (*choice.attachments, *blank.attachments)] == [2, 7]
    assert not suite.private


def test_baby_vision_is_read_as_the_hub_has_it(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [baby_row(n, image={"bytes": png(n % 256), "path": None}) for n in range(388)]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "train.parquet")
    item = load(f"babyvision:{tmp_path / 'train.parquet'}").items[7]
    assert (item.gold, shade_of(item.attachments[0].data)) == ("shade 7", 7)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ansType": "essay"}, "taskId 0: ansType 'essay'"),
        ({"choiceAns": 3}, "choiceAns 3 is none of 3 options"),
        ({"choiceAns": None}, "choiceAns None"),
        ({"ansType": "blank"}, "ansType 'blank' without an answer"),
        ({"image": "images/gone.png"}, "image cannot be read"),
        ({"image": ""}, "the image is empty"),
        ({"question": None}, "row 1: question"),
    ],
)
def test_a_wrong_file_for_baby_vision_is_refused_with_the_reason(
    tmp_path: Path, changed: dict[str, Any], reason: str
) -> None:
    file = write_baby(tmp_path / "baby", **changed)
    with pytest.raises(BadRequestError, match=reason):
        load(f"babyvision:{file}")


def test_a_part_of_baby_vision_is_refused(tmp_path: Path) -> None:
    file = write_baby(tmp_path / "baby", 10)
    with pytest.raises(BadRequestError, match="holds 10 rows and UnipatAI/BabyVision has 388"):
        load(f"babyvision:{file}")
