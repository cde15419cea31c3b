from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trust.evidence_records.records import reduce_tree
from engine.trust.evidence_records.trees import build_tree, hash_group

GROUPS = st.lists(st.lists(st.binary(max_size=8), min_size=1, max_size=5), min_size=1, max_size=40)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def climb(digests: list[bytes], lists: list[list[bytes]]) -> bytes | None:
    """RFC 4998, 4.3 in five lines."""
    if lists and not set(digests) <= set(lists[0]):
        return None
    root = digests[0] if not lists else sha(b"".join(sorted(lists[0])))
    for level in lists[1:]:
        root = sha(b"".join(sorted([*level, root])))
    return root


@given(GROUPS, st.data())
@settings(max_examples=150, deadline=None)
def test_every_group_finds_the_root_and_nothing_else_does(groups: list[list[bytes]], data: st.DataObject) -> None:
    digests = [[sha(document) for document in group] for group in groups]
    with TemporaryDirectory() as folder:
        leaves = (hash_group("sha256", group) for group in digests)
        with build_tree(Path(folder) / "tree", "sha256", leaves) as tree:
            proofs = [reduce_tree(group, tree.siblings(index)) for index, group in enumerate(digests)]
            root = tree.root
    for group, proof in zip(digests, proofs, strict=True):
        assert climb(group, proof) == root
    chosen = data.draw(st.integers(0, len(groups) - 1))
    altered = [sha(b"another " + digest) for digest in digests[chosen]]
    assert climb(altered, proofs[chosen]) != root
    other = data.draw(st.integers(0, len(groups) - 1))
    if not set(digests[other]) & {value for level in proofs[chosen][:1] for value in level} and proofs[chosen]:
        assert climb(digests[other], proofs[chosen]) is None, "a swapped proof"
    if proofs[chosen]:
        level = data.draw(st.integers(0, len(proofs[chosen]) - 1))
        spoilt = [list(values) for values in proofs[chosen]]
        spoilt[level][0] = sha(spoilt[level][0])
        assert climb(digests[chosen], spoilt) != root, "an altered node"
    if len(proofs[chosen]) > 2 and proofs[chosen][1] != proofs[chosen][-1]:
        turned = [proofs[chosen][0], *reversed(proofs[chosen][1:])]
        assert turned == proofs[chosen] or climb(digests[chosen], turned) != root, "a wrong order"


def test_a_proof_is_as_long_as_the_tree_is_high(tmp_path: Path) -> None:
    with build_tree(tmp_path / "tree", "sha256", (sha(b"%d" % number) for number in range(1 << 12))) as tree:
        assert tree.leaves == 1 << 12
        assert {len(tree.siblings(index)) for index in range(0, 1 << 12, 97)} == {12}


def test_a_tree_needs_a_leaf(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leaf"):
        build_tree(tmp_path / "tree", "sha256", [])
