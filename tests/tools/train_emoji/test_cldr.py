from __future__ import annotations

from pathlib import Path

import pytest
from tools.train_emoji import cldr
from tools.train_emoji.vocabulary import Thing

DOG, CAT, CAR = Thing("🐶", ("dog", "puppy")), Thing("🐱", ("cat",)), Thing("🚗", ("car", "motor car"))


def test_names_and_keywords_are_read_in_lower_case(annotations: Path) -> None:
    found = cldr.read(annotations)
    assert found["🐱"] == cldr.Annotation("cat face", ("cat", "face", "pet", "dog"))


def test_a_thing_gets_the_name_and_the_keywords_that_only_it_has(annotations: Path) -> None:
    dog, cat, car = cldr.extend((DOG, CAT, CAR), cldr.read(annotations))
    assert dog.words == ("dog", "puppy", "dog face", "hound")
    assert cat.words == ("cat", "cat face")
    assert car.words == ("car", "motor car", "automobile", "motor")


def test_the_table_comes_first_where_cldr_names_something_else_so(annotations: Path) -> None:
    car = Thing("🚗", ("car", "hound"))
    dog, _, _ = cldr.extend((DOG, CAT, car), cldr.read(annotations))
    assert "hound" not in dog.words


def test_a_word_names_one_thing_with_the_words_of_cldr_too(things: tuple[Thing, ...]) -> None:
    if not cldr.ANNOTATIONS.exists():
        pytest.skip("needs CLDR (Debian: unicode-cldr-core)")
    extended = cldr.extend(things, cldr.read())
    words = [word for thing in extended for word in thing.words]
    assert len(words) == len(set(words))
    assert len(words) > sum(len(thing.words) for thing in things)


def test_without_cldr_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="unicode-cldr-core"):
        cldr.read(tmp_path / "none.xml")
