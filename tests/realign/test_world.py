"""The embedded world: deterministic, parallel by construction, kin alike, word order as URIEL says."""

import subprocess
import sys
from itertools import combinations

import pytest

from realign.world.lexicon import lexicon
from realign.world.semantics import UPOS
from realign.world.world import Sizes, World, _pairs
from selector.errors import InputError
from selector.languages.language import parse
from selector.languages.pools import WORLD_LOW_RESOURCE
from selector.sources.features import family_path, feature

SIZES = Sizes(parallel=60, source=60, evaluation=40, text=60, source_text=80, low_text=6)


def test_size_of_the_world(world: World) -> None:
    families = {language.family for language in world.languages.values()}
    scripts = {language.script for language in world.languages.values()}
    assert len(world.languages) >= 24
    assert len(families) >= 10
    assert len(scripts) >= 8
    assert not {language.code for language in world.held_out} & {language.code for language in world.pool}
    assert world.source not in world.pool


def test_same_seed_same_world_in_another_process_and_other_seed_another() -> None:
    code = (
        "from realign.world.world import World, Sizes;"
        "w = World(0, Sizes(5, 5, 5, 5, 5, 5)); print(w.signature, *w.pairs('fin', 'train'), w.texts('jpn'))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout
    tiny = Sizes(5, 5, 5, 5, 5, 5)
    assert list(World(0, tiny).pairs("fin", "train")) == list(World(0, tiny).pairs("fin", "train"))
    assert list(World(1, tiny).pairs("fin", "train")) != list(World(0, tiny).pairs("fin", "train"))
    assert World(1, tiny).signature != World(0, tiny).signature


def test_pairs_are_said_when_they_are_looked_into() -> None:
    """A study asks for those of every language of its pool, and what it trains on is in the store already."""
    world = World(77, SIZES)
    before = _pairs.cache_info().misses
    pairs = world.pairs("fin", "train")
    assert pairs
    assert len(pairs) == SIZES.parallel
    assert _pairs.cache_info().misses == before
    assert pairs[-1] == list(pairs)[-1] == pairs[-2:][1]
    assert _pairs.cache_info().misses == before + 1


def test_gold_links_join_translations(world: World) -> None:
    """Two languages without affixes on a word of the same slot use their own form of the same concept."""
    forms = {code: lexicon(0, (*family_path(parse(code)), code), parse(code).script) for code in ("eng", "tam")}
    meaning_of = {form: item for item, form in forms["tam"].items()}
    agree = total = 0
    for pair in world.pairs("tam", "train"):
        assert pair.links is not None
        assert len({i for i, _ in pair.links}) == len(pair.links) == len({j for _, j in pair.links})
        for i, j in pair.links:
            concept = meaning_of.get(pair.target[j])  # None where an affix was added
            if concept is not None:
                total += 1
                agree += pair.source[i].startswith(forms["eng"][concept][:2])
    assert total > 100
    assert agree / total > 0.9  # the rest are homonyms


def test_tags_follow_the_links(world: World) -> None:
    english, finnish = (world.sentences(code, "dev") for code in ("eng", "fin"))
    for ours, theirs in zip(english, finnish, strict=True):
        assert set(ours.tags) | set(theirs.tags) <= set(UPOS)
        content = {"NOUN", "VERB", "ADJ", "NUM", "PROPN"}
        assert sorted(t for t in ours.tags if t in content) == sorted(t for t in theirs.tags if t in content)


@pytest.mark.parametrize("code", ["deu", "jpn", "tam", "tur", "hin", "swh", "zul", "spa", "arb", "ind"])
def test_word_order_follows_uriel(world: World, code: str) -> None:
    def share(first: str, second: str) -> float:
        """Among adjacent words of these two classes, how often `first` comes first."""
        pairs = [pair for s in world.sentences(code, "dev") for pair in zip(s.tags, s.tags[1:], strict=False)]
        ahead, behind = pairs.count((first, second)), pairs.count((second, first))
        return ahead / max(1, ahead + behind)

    language = parse(code)
    assert (share("ADJ", "NOUN") > 0.5) == (feature(language, "S_ADJECTIVE_BEFORE_NOUN") > 0.5)
    if feature(language, "S_ADPOSITION_BEFORE_NOUN") > 0.5:
        assert all(tags[-2] != "ADP" for tags in (s.tags for s in world.sentences(code, "dev")))


def test_kin_share_words_and_strangers_do_not(world: World) -> None:
    def shared(a: str, b: str) -> float:
        one, two = (lexicon(0, (*family_path(parse(code)), code), "Latn") for code in (a, b))
        same = [item for item in one if not (isinstance(item, tuple) and item.upos == "PROPN")]
        return sum(one[item] == two[item] for item in same) / len(same)

    germanic = [shared(a, b) for a, b in combinations(("deu", "nld", "swe", "dan"), 2)]
    strangers = [shared(a, b) for a, b in combinations(("deu", "jpn", "tam", "swh", "fin"), 2)]
    assert min(germanic) > 0.1 > max(strangers)
    assert shared("deu", "nld") > shared("deu", "rus")


def test_low_resource_languages_have_less_text(world: World) -> None:
    assert {len(world.texts(code)) for code in WORLD_LOW_RESOURCE} == {SIZES.low_text}
    assert len(world.texts("deu")) == SIZES.text < len(world.texts("eng"))


def test_only_the_source_is_labelled_for_training(world: World) -> None:
    assert len(world.sentences("eng", "train")) == SIZES.source
    with pytest.raises(InputError, match="eng only"):
        world.sentences("deu", "train")
    with pytest.raises(InputError, match="does not speak nah"):
        world.pairs("nah", "train")


def test_splits_do_not_share_sentences(world: World) -> None:
    splits = [
        {s.words for s in world.sentences("eng", split) if len(s.words) > 5} for split in ("train", "dev", "test")
    ]
    assert not splits[0] & splits[1]
    assert not splits[1] & splits[2]
