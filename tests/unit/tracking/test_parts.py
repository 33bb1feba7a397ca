"""The setting that names what is read beside an item's fields."""

import pytest

from relay.errors import ConfigurationError
from relay.tracking.parts import PRODUCTS, STEPS, PartsSetting


@pytest.fixture(autouse=True)
def _parsed_anew():
    """Let no test get what another one has parsed."""
    PartsSetting.parse.cache_clear()


@pytest.mark.parametrize(
    ("text", "entity", "expected"),
    [
        ("steps,products", "deal", {STEPS, PRODUCTS}),
        ("steps,products", "dynamic_128", {STEPS, PRODUCTS}),
        ("steps,products", "quote", {PRODUCTS}),
        ("steps,products", "contact", set()),
        ("steps,products", "task", set()),
        ("steps, deal.products", "lead", {STEPS}),
        ("steps, deal.products", "deal", {STEPS, PRODUCTS}),
        ("dynamic_177.steps", "dynamic_177", {STEPS}),
        ("dynamic_177.steps", "dynamic_128", set()),
        ("none", "deal", set()),
    ],
)
def test_a_part_is_read_of_the_kinds_that_have_it(text, entity, expected):
    """A part alone means every kind that has it, a kind before a dot this kind alone."""
    assert PartsSetting.parse(text).of(entity) == expected


@pytest.mark.parametrize(
    "text", ["", "stages", "contact.products", "spaceship.steps", "none,steps"]
)
def test_a_wrong_setting_is_named(text):
    """An entry that means nothing is an error that names it and the choice."""
    with pytest.raises(ConfigurationError, match=r"Parts: .*(empty|stages|contact|spaceship|none)"):
        PartsSetting.parse(text)
