"""Are two collections in two Milvus servers equal?

Rows: every field of every row, bit by bit, in batches of keys per partition, and count(*) per
partition (a query hides rows of equal key, count(*) does not). Objects: schema, partitions,
indexes, aliases, load state, properties. Answers are lists of differences, empty when equal.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.client import Client, Index, Key, Row

_SHOWN = 8


@dataclass(frozen=True)
class Place:
    """A collection on a server; `at` is the guarantee timestamp to read with, None is Strong."""

    client: Client
    db: str
    name: str
    at: int | None = None

    def __str__(self) -> str:
        return f"{self.client.label}:{self.db}.{self.name}"


@dataclass(frozen=True)
class Traits:
    """What a kind of target cannot keep, so that a difference there is none of ours."""

    exact_json: bool = True  # keeps the bytes of JSON, not only the value
    keeps_auto_id: bool = True
    keeps_descriptions: bool = True
    keeps_index_names: bool = True  # and an empty `params` among the parameters
    keeps_shards: bool = True
    keeps_created_timestamp: bool = False
    keeps_array_element_limits: bool = True
    describes_aliases: bool = True  # with DescribeCollection
    partition_load: bool = True
    counts_partitions: bool = True  # count(*) of a partition is not that of the collection


REPLICATE = Traits(keeps_created_timestamp=True)
API = Traits(keeps_auto_id=False)
LITE = Traits(
    exact_json=False,
    keeps_auto_id=False,
    keeps_descriptions=False,
    keeps_index_names=False,
    keeps_shards=False,
    keeps_array_element_limits=False,
    describes_aliases=False,
    partition_load=False,
    counts_partitions=False,
)


# --- rows -------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    if isinstance(value, bytes) and len(value) == 8:
        return f"{struct.unpack('<d', value)[0]!r} (bits {value.hex()})"
    if isinstance(value, bytes) and len(value) == 4:
        return f"{struct.unpack('<f', value)[0]!r} (bits {value.hex()})"
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 160 else f"{text[:160]}... ({len(text)} characters)"


def _same(left: Any, right: Any, exact_json: bool) -> bool:
    if left == right:
        return True
    if exact_json or not (isinstance(left, bytes) and left[:1] in b'{["0123456789-tfn'):
        return False
    try:
        return bool(json.loads(left) == json.loads(right))
    except ValueError:
        return False


def _json_fields(place: Place) -> set[str]:
    json_type = 23
    fields = place.client.describe(place.db, place.name).schema.fields
    return {field.name for field in fields if field.data_type == json_type} | {"$meta"}


def diff_rows(
    source: Mapping[Key, Row], target: Mapping[Key, Row], traits: Traits, json_fields: set[str]
) -> list[str]:
    """The differences of two sets of rows, in the order of the keys."""
    found: list[str] = []
    for key in sorted(source.keys() | target.keys(), key=repr):
        left, right = source.get(key), target.get(key)
        if right is None:
            found.append(f"key {key!r}: on the source only")
        elif left is None:
            found.append(f"key {key!r}: on the target only")
        else:
            for field in sorted(left.keys() | right.keys()):
                a, b = left.get(field), right.get(field)
                exact = traits.exact_json or field not in json_fields
                if not _same(a, b, exact):
                    found.append(
                        f"key {key!r}, field '{field}': source {_shown(a)}, target {_shown(b)}"
                    )
    return found


def limited(found: list[str]) -> list[str]:
    """The first few of many differences, and how many more there are."""
    more = len(found) - _SHOWN
    return found if more <= 0 else [*found[:_SHOWN], f"... and {more} more differences"]


def _count_difference(
    where: str, source: Place, target: Place, partition: str | None, traits: Traits
) -> list[str]:
    """count(*) of a partition; of the whole collection where the target cannot tell them apart."""
    of = partition if traits.counts_partitions else None
    left, right = (p.client.count(p.db, p.name, of, p.at) for p in (source, target))
    return [] if left == right else [f"{where}count(*): source {left}, target {right}"]


def compare_rows(
    source: Place,
    target: Place,
    keys: Mapping[str | None, Sequence[Key]],
    traits: Traits = REPLICATE,
) -> list[str]:
    """Compares count(*) and the rows of these keys per partition (None: the whole collection).

    Keys that were deleted belong into `keys` too: they must be absent on both sides.
    """
    primary = primary_field(source)
    json_fields = _json_fields(source)
    found: list[str] = []
    for partition, wanted in keys.items():
        where = f"{source.db}.{source.name} partition {partition or '(all)'}: "
        found += _count_difference(where, source, target, partition, traits)
        left, right = (
            p.client.rows(p.db, p.name, primary, list(wanted), partition, p.at)
            for p in (source, target)
        )
        found += [where + text for text in diff_rows(left, right, traits, json_fields)]
    return limited(found)


def _nameable_partitions(place: Place) -> Sequence[str | None]:
    """Those of a partition-key collection cannot be named: None stands for all of them."""
    fields = place.client.describe(place.db, place.name).schema.fields
    if any(field.is_partition_key for field in fields):
        return [None]
    return place.client.partitions(place.db, place.name)


def compare_by_scan(source: Place, target: Place, traits: Traits = REPLICATE) -> list[str]:
    """Compares all rows of two int64-key collections without knowing their keys."""
    primary = primary_field(source)
    json_fields = _json_fields(source)
    found: list[str] = []
    for partition in _nameable_partitions(source):
        where = f"{source.db}.{source.name} partition {partition or '(all)'}: "
        found += _count_difference(where, source, target, partition, traits)
        left, right = (
            p.client.scan(p.db, p.name, primary, partition, p.at) for p in (source, target)
        )
        found += [where + text for text in diff_rows(left, right, traits, json_fields)]
    return limited(found)


# --- objects ----------------------------------------------------------------------------------


def primary_field(place: Place) -> str:
    fields = place.client.describe(place.db, place.name).schema.fields
    return next(str(field.name) for field in fields if field.is_primary_key)


def _field(field: Any, traits: Traits) -> dict[str, Any]:
    is_array = field.data_type == 22
    skipped = {"max_length"} if is_array and not traits.keeps_array_element_limits else set()
    seen = {
        "name": field.name,
        "type": field.data_type,
        "element_type": field.element_type,
        "primary": field.is_primary_key,
        "partition_key": field.is_partition_key,
        "params": sorted((p.key, p.value) for p in field.type_params if p.key not in skipped),
        "default": field.default_value.SerializeToString().hex(),
    }
    if traits.keeps_auto_id:
        seen["auto_id"] = field.autoID
    if traits.keeps_descriptions:
        seen["description"] = field.description
    return seen


def _aliases_by_list(place: Place) -> list[str]:
    return place.client.list_aliases(place.db, place.name)


def _index(index: Index, traits: Traits) -> tuple[Any, ...]:
    if traits.keeps_index_names:
        return (index.name, index.field, index.params)
    params = [pair for pair in index.params if pair[1] != "{}"]
    return (index.field, tuple((key, value.replace(" ", "")) for key, value in params))


def _object(place: Place, traits: Traits) -> dict[str, Any]:
    """Everything about a collection that replication keeps, by name."""
    described = place.client.describe(place.db, place.name)
    schema = described.schema
    partitions = place.client.partitions(place.db, place.name)
    indexes = place.client.indexes(place.db, place.name)
    seen: dict[str, Any] = {
        f"field '{field.name}'": _field(field, traits) for field in schema.fields
    }
    seen["order of fields"] = [field.name for field in schema.fields]
    seen["dynamic field"] = schema.enable_dynamic_field
    seen["partitions"] = partitions
    seen["aliases"] = sorted(described.aliases)
    if not traits.describes_aliases and not described.aliases:
        seen["aliases"] = _aliases_by_list(place)
    seen["properties"] = sorted((p.key, p.value) for p in described.properties)
    seen["indexes"] = [_index(index, traits) for index in indexes]
    seen["load state"] = place.client.load_state(place.db, place.name)
    if traits.partition_load:
        for partition in partitions:
            state = place.client.load_state(place.db, place.name, partition)
            seen[f"load state of partition '{partition}'"] = state
    if traits.keeps_descriptions:
        seen["description"] = schema.description
    if traits.keeps_shards:
        seen["shards"] = described.shards_num
        seen["consistency level"] = described.consistency_level
    if traits.keeps_created_timestamp:
        seen["created timestamp"] = described.created_timestamp
    return seen


def compare_objects(
    source: Place, target: Place, traits: Traits = REPLICATE, skip: Sequence[str] = ()
) -> list[str]:
    """Compares schema, partitions, indexes, aliases, properties and load state."""
    left, right = _object(source, traits), _object(target, traits)
    return [
        f"{source.db}.{source.name} {name}: source {left.get(name)}, target {right.get(name)}"
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name) and name not in skip
    ]
