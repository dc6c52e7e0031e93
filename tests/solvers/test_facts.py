"""What we know of models, and the roster that keys make of it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from providing import APIS

from solvers import registry
from solvers.errors import FixSetupError
from solvers.facts import LEVELS, facts_of, makers, nearest, provider
from solvers.registry import SolverSpec
from solvers.roster import default_roster
from solvers.types import EFFORTS, Effort, Shared

TODAY = date(2026, 11, 21)
KEYS = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}


@pytest.mark.parametrize("api", APIS)
def test_a_model_that_we_have_not_heard_of_gets_its_providers_defaults(api: str) -> None:
    facts = facts_of(api, "model-of-tomorrow")
    assert not facts.listed
    assert [facts.effort(effort) for effort in EFFORTS[:3]] == ["low", "medium", "high"]
    assert [facts.limit(one) for one in EFFORTS] == sorted(facts.limit(one) for one in EFFORTS)


def test_a_dated_id_is_its_model() -> None:
    assert facts_of("anthropic", "claude-haiku-4-5-20251001").efforts == ()
    assert facts_of("openai", "gpt-4o-2024-08-06").retires == date(2027, 1, 14)


def test_overrides_win_over_what_we_know() -> None:
    facts = facts_of(
        "openai", "gpt-4o", {"efforts": ["low"], "output": 100, "max_tokens": {"high": 50}}
    )
    assert (facts.effort("max"), facts.limit("high"), facts.limit("max")) == ("low", 50, 100)


def test_a_models_end_is_told_before_and_after() -> None:
    facts = facts_of("anthropic", "claude-sonnet-4-5")
    assert any("will be 2026-11-30" in one for one in facts.notices(TODAY))
    assert any("was 2026-11-30" in one for one in facts.notices(date(2027, 1, 1)))
    assert not any("end" in one for one in facts.notices(date(2026, 1, 1)))


def test_an_effort_that_a_model_lacks_is_told() -> None:
    notices = facts_of("anthropic", "claude-opus-4-5").notices(TODAY)
    assert notices == ("claude-opus-4-5: it has no effort 'max'; 'high' is used",)
    spec = SolverSpec(
        name="s", api="chat", model="m", options={"base_url": "http://h/v1", "efforts": []}
    )
    assert registry.notices(spec, TODAY) == (
        "m: it has no control of effort; effort sets only the length of a reply",
    )
    assert registry.notices(SolverSpec(name="s", api="scripted"), TODAY) == ()


@given(st.sampled_from(EFFORTS), st.sets(st.sampled_from(LEVELS)))
def test_the_nearest_effort_is_the_strongest_that_is_not_too_strong(
    wanted: Effort, have: set[str]
) -> None:
    found = nearest(wanted, tuple(have))
    usable = have - {"none"}
    if found is None:
        assert not usable
    elif LEVELS.index(found) > LEVELS.index(wanted):
        assert LEVELS.index(found) == min(map(LEVELS.index, usable))
    else:
        between = range(LEVELS.index(found) + 1, LEVELS.index(wanted) + 1)
        assert not usable & {LEVELS[level] for level in between}


def test_every_listed_model_is_whole() -> None:
    for maker in makers():
        assert len(maker.tiers) == 3
        assert maker.default_tier in {tier.name for tier in maker.tiers}
        for tier in maker.tiers:
            facts = facts_of(maker.api, tier.model)
            assert facts.retires is None
            assert facts.context
            assert facts.limit("max") == facts.output
    assert provider("chat").tiers == ()


def test_a_key_brings_its_providers_models() -> None:
    assert list(default_roster({"ANTHROPIC_API_KEY": "k"}).specs)[:3] == ["haiku", "sonnet", "opus"]
    assert list(default_roster({"OPENAI_API_KEY": "k"}).specs)[:3] == ["luna", "terra", "sol"]
    assert default_roster({"OPENAI_API_KEY": "k"}).default == "terra"
    both = default_roster(KEYS)
    assert (both.default, len(both.specs)) == ("sonnet", 10)
    assert list(both.specs)[6] == "qwen"


@pytest.mark.parametrize("value", ["", "  ", "${ANTHROPIC_API_KEY}"])
def test_a_key_that_is_not_set_brings_none(value: str) -> None:
    assert default_roster({"ANTHROPIC_API_KEY": value}) == default_roster()
    assert default_roster().default == "qwen"


def test_the_address_in_the_environment_is_used() -> None:
    roster = default_roster({**KEYS, "OPENAI_BASE_URL": "http://h/v1"})
    assert roster.specs["sol"].options["base_url"] == "http://h/v1"
    assert "base_url" not in roster.specs["opus"].options


def test_a_roster_holds_no_key() -> None:
    assert "secret" not in repr(default_roster({"OPENAI_API_KEY": "secret"}))


def test_what_is_missing_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    local = "http://localhost:11434"
    for spec, words in [
        (SolverSpec(name="s", api="anthropic", model="m"), "variable ANTHROPIC_API_KEY"),
        (SolverSpec(name="s", api="openai"), "needs a model"),
        (SolverSpec(name="s", api="chat", model="m"), "needs the option base_url"),
        (chat(base_url=local), f"did you mean {local}/v1?"),
        (chat(base_url="localhost:11434/v1"), "starts with http:// or https://"),
        (chat(base_url=f"{local}/v1", key_env="NO_SUCH_KEY"), "variable NO_SUCH_KEY"),
        (chat(base_url=f"{local}/v1", effort="high"), "option effort"),
        (chat(base_url=f"{local}/v1", efforts=["extreme"]), "option efforts.0"),
        (chat(base_url=f"{local}/v1", price={"input": -1, "output": 1}), "option price.input"),
    ]:
        assert words in (registry.missing(spec) or "")
    assert registry.missing(chat(base_url=f"{local}/v1")) is None
    assert registry.missing(SolverSpec(name="s", api="openai", model="m")) is None


def test_the_path_that_an_sdk_adds_must_not_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    spec = SolverSpec(name="s", api="anthropic", model="m", options={"base_url": "http://h/v1"})
    assert "must not end in /v1" in (registry.missing(spec) or "")


def test_nobody_builds_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(FixSetupError, match="OPENAI_API_KEY"):
        registry.build(SolverSpec(name="s", api="openai", model="m"), Shared())


def chat(**options: object) -> SolverSpec:
    return SolverSpec(name="s", api="chat", model="m", options=options)
