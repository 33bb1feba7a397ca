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


def test_a_section_shows_a_property_as_it_was_set(full):
    """Settings and features are those of a property that is there."""
    method = "catalog.productPropertySection"
    answer = full.call(f"{method}.set", propertyId=258, fields={"displayType": "P"})
    assert answer["productPropertySection"]["displayType"] == "P"
    kept = full.call(f"{method}.get", propertyId=258)["productPropertySection"]
    assert kept["displayType"] == "P"
    assert full.refusal(f"{method}.set", propertyId=9, fields={}).code == "0"
    features = "catalog.productPropertyFeature.getAvailableFeaturesByProperty"
    assert {one["moduleId"] for one in full.call(features, propertyId=258)["features"]} == {
        "iblock"
    }
    assert full.refusal(features, propertyId=9).code == "0"


def test_an_image_has_a_name(full):
    """Without its name it is refused."""
    fields = {"productId": 1}
    for content in ([], ["", "YQ=="]):
        refused = full.refusal("catalog.productImage.add", fields=fields, fileContent=content)
        assert refused.text == "The file name is not specified"
    assert full.refusal("catalog.productImage.list").code == "100"
