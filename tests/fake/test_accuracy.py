"""Models that are right as often as they are told to be, and the same way each time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.answer import format_instructions, read_expression, read_structured
from solvers.fake import Accurate, Asked, read_answers
from solvers.fake.accuracy import wrong_answers
from solvers.model import Message


def asked(prompt: str, model: str = "medium", effort: str | None = None) -> Asked:
    return Asked(
        api="chat", model=model, messages=(Message(role="user", text=prompt),), effort=effort
    )


def answers(script: Accurate, prompt: str, draws: int, model: str = "medium") -> list[str]:
    said = [script(asked(prompt, model)).text for _ in range(draws)]
    return [read_structured(one).answer for one in said]


def test_a_known_problem_is_answered_within_its_prompt() -> None:
    script = Accurate({"Name the capital of France.": "Paris"})
    assert answers(script, "Solve this.\n\nName the capital of France.\n\nBe brief.", 1) == [
        "Paris"
    ]


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is 6 × 7?", "42"),
        ("Compute (3 + 4) * 2 - 1, please.", "13"),
        ("In 2024, what was 10/4?", "2.5"),
        ("What is 2^10 - 24?", "1000"),
    ],
)
def test_an_expression_in_the_problem_is_evaluated(prompt: str, answer: str) -> None:
    assert answers(Accurate(), prompt, 1) == [answer]


def test_other_problems_have_one_right_answer_too() -> None:
    assert len(set(answers(Accurate(), "Why?", 20))) == 1


def test_the_share_of_right_answers_is_what_was_asked_for() -> None:
    counts = Counter(answers(Accurate(accuracy=0.7), "What is 6 × 7?", 2_000))
    assert abs(counts["42"] / 2_000 - 0.7) < 0.04
    assert set(counts) == {"42", "43", "41", "52"}
    assert counts["43"] > counts["41"] > counts["52"]


def test_each_model_has_its_own_accuracy() -> None:
    script = Accurate(accuracy={"small": 0.0, "large": 1.0}, otherwise=0.5)
    assert "42" not in answers(script, "6 × 7", 50, "small")
    assert set(answers(script, "6 × 7", 50, "large")) == {"42"}
    assert 5 < answers(script, "6 × 7", 50, "other").count("42") < 45


@given(seed=st.integers(), order=st.permutations(range(12)))
def test_a_run_repeats_itself_however_its_calls_are_interleaved(
    seed: int, order: list[int]
) -> None:
    def run(calls: list[int]) -> dict[int, list[str]]:
        script = Accurate(accuracy=0.5, seed=seed)
        found: dict[int, list[str]] = {n: [] for n in range(3)}
        for call in calls:
            found[call % 3].append(script(asked(f"What is {call % 3} + 5?")).text)
        return found

    assert run(list(order)) == run(list(range(12)))


def test_an_expression_is_said_where_one_is_asked_for() -> None:
    prompt = f"What is 6 × 7?\n\n{format_instructions('expression', 'auto')}"
    assert read_expression(Accurate()(asked(prompt)).text).answer == "42"


def test_more_effort_costs_more_thought() -> None:
    script = Accurate()
    spent = [script(asked("?", effort=effort)).reasoning_tokens for effort in ("low", "max")]
    assert 0 < spent[0] < spent[1]


@given(
    gold=st.one_of(
        st.integers().map(str), st.sampled_from("ABCDEJ"), st.text(min_size=1), st.just("none")
    )
)
def test_wrong_answers_are_wrong_and_differ(gold: str) -> None:
    assert len({gold, *wrong_answers(gold)}) == 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps({"What?": 42})),
        ("b.json", json.dumps([{"problem": " What? ", "answer": "42"}])),
        ("c.toml", '"What?" = 42'),
        ("d.toml", '[[problems]]\nproblem = "What?"\nanswer = "42"'),
    ],
)
def test_right_answers_are_read_from_json_and_toml(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_answers(tmp_path / name) == {"What?": "42"}


@pytest.mark.parametrize("text", ["7", '[{"question": "What?"}]'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match="expected a table"):
        read_answers(tmp_path / "a.json")
