"""A core and its sections: what they refuse, what they become, and what of them is part of a signature."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from realign.core import Core, FakeModel, Model, Scope, Task
from realign.corpora.filters import Rules
from realign.data_sets import BitextFiles, Data, HubSet, VerseFiles
from realign.section import SettingError
from realign.training.settings import FineTuning, LoRA, Realignment, Tuning
from selector.errors import InputError
from selector.languages.language import parse, parse_pool


def core(**changes: object) -> Core:
    plain = Core(Model(), Data(), Task(), Realignment(), parse("eng"), Path("/studies"))
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_wrong_setting_is_wrong_input_with_a_way_out() -> None:
    with pytest.raises(InputError, match="give steps or epochs") as found:
        Task(steps=5, epochs=2.0)
    assert isinstance(found.value, SettingError)
    assert isinstance(found.value, ValueError)  # which is what a reader of files takes with the key
    assert found.value.hint


def test_a_document_holds_every_key_as_json_and_none_only_where_asked() -> None:
    data = Data(parallel=(VerseFiles("verses", "a"), BitextFiles("tsv", "b")), filter=Rules(ratio=3.0))
    parallel = [{"kind": "verses", "folder": "a"}, {"kind": "tsv", "folder": "b"}]
    rules = {"longest": 1000, "ratio": 3.0, "script": 0.5, "duplicates": False}
    assert data.document() == {"parallel": parallel, "filter": rules, "pairs": None}
    assert data.document(without_none=True) == {"parallel": parallel, "filter": rules}
    assert HubSet(name="nllb").document(without_none=True) == {"kind": "hub", "name": "nllb"}


def test_own_keys_come_before_inherited_ones() -> None:
    assert next(iter(Task().document())) == "kind"
    assert list(FakeModel(kind="fake").document()) == ["kind", "noise", "seconds", "world"]


def test_what_is_in_the_fidelity_or_the_text_is_not_signed_twice() -> None:
    plain = Realignment()
    assert replace(plain, steps=7).facts == plain.facts
    assert plain.facts.keys() == asdict(plain).keys() - {"steps", "dictionary", "alignments"}
    for changed in (replace(plain, batch=7), replace(plain, lora=LoRA()), replace(plain, layer=0)):
        assert changed.facts != plain.facts


def test_an_aligner_counts_only_where_words_are_aligned() -> None:
    assert Realignment(aligner="mutual").facts == Realignment().facts
    word = Realignment(loss="word", aligner="mutual")
    assert word.facts != replace(word, aligner="itermax").facts


def test_a_task_is_tuned_as_it_says() -> None:
    task = Task(batch=3, lr=0.5, max_length=9)
    assert task.tuning == FineTuning(batch=3, lr=0.5, max_length=9)
    assert {each.name for each in fields(Tuning)} == {"batch", "lr", "max_length"}


def test_a_rehearsal_has_no_encoder() -> None:
    assert Model(base="somewhere").encoder == "somewhere"
    with pytest.raises(InputError, match="rehearsal"):
        _ = Model(base=FakeModel(kind="fake")).encoder


def test_retrieval_is_measured_on_the_parallel_text_unless_it_has_its_own() -> None:
    verses = VerseFiles("verses", "v")
    data = Data(parallel=verses)
    assert core(data=data, task=Task(kind="retrieval")).task_data == verses
    assert core(data=data, task=Task(kind="retrieval", data="world")).task_data == "world"
    assert core(data=data).task_data == "world"
    assert core(realign=Realignment(steps=7, batch=3)).pairs == 21


def test_a_scope_names_everyone_once() -> None:
    pool, tune, held_out = parse_pool("fin,deu"), parse_pool("deu,tur"), parse_pool("swh")
    scope = Scope(pool, tune, held_out)
    assert [each.code for each in scope.targets] == ["deu", "tur", "swh"]
    assert [each.code for each in scope.everyone] == ["deu", "fin", "swh", "tur"]
