"""A shell, and a small pool that was made up."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from shell import Shell

from solvers.recording import Question, Recording, write_pool

QUESTIONS = 12
DRAWS = 9


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Nine draws of an arm for each of twelve questions; the right answer is 7."""
    random = Random(5)
    questions = [
        Question(question_id=f"q{n}", question=f"Problem {n}: what is it?", gold="7")
        for n in range(QUESTIONS)
    ]
    recordings = [
        Recording(
            question_id=one.question_id,
            model="made-up",
            sample_idx=draw,
            answer=random.choice(["7", "7.0", "8", "9", None]),
            input_tokens=10,
            output_tokens=draw + 1,
            cost_usd=0.25,
        )
        for one in questions
        for draw in range(DRAWS)
    ]
    write_pool(tmp_path / "pool", questions, recordings)
    return tmp_path / "pool"
