"""Products of catalogues: their properties, and what catalogues say of them."""


def test_products_have_the_properties_of_their_catalogue(full):
    """Values get numbers; another catalogue's properties are ignored; unset ones are empty."""
    made = full.call(
        "catalog.productProperty.add",
        fields={"iblockId": 23, "name": "Weight", "propertyType": "N", "isRequired": "Y"},
    )
    own = f"property{made['productProperty']['id']}"
    fields = {"iblockId": 23, "name": "Chair", "property258": {"value": "red"}}
    fields |= {"property259": [{"value": "S"}, "M"], "property261": "green"}
    product = full.call("catalog.product.add", fields=fields)["element"]
    assert product["property258"]["value"] == "red"
    assert [one["value"] for one in product["property259"]] == ["S", "M"]
    assert product[own] is None
    assert "property261" not in product
    changed = full.call("catalog.product.update", id=product["id"], fields={own: 7})["element"]
    assert (changed[own]["value"], changed["property258"]) == ("7", product["property258"])
    listed = full.call("catalog.product.list", select=["id", "iblockId", "property258"])
    assert listed["products"][-1]["property258"] == product["property258"]


def test_a_catalogue_describes_its_properties(full):
    """They stand beside the fields that all products have."""
    answer = full.call("catalog.product.getFieldsByFilter", filter={"iblockId": 23})["product"]
    assert (answer["property259"]["isMultiple"], answer["property259"]["propertyType"]) == (
        True,
        "S",
    )
    assert "property261" not in answer
