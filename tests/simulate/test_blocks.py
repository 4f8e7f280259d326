from __future__ import annotations

import numpy as np

from gpuhiggs.simulate.blocks import EVENTS_PER_BLOCK, Block, blocks_of


def test_blocks_cover_the_events_once() -> None:
    n_events = 2 * EVENTS_PER_BLOCK + 7
    blocks = blocks_of("ggH_4l", n_events, seed=1)
    assert [block.number for block in blocks] == [0, 1, 2]
    assert [block.events for block in blocks] == [EVENTS_PER_BLOCK, EVENTS_PER_BLOCK, 7]
    covered = np.concatenate([np.arange(block.first, block.first + block.events) for block in blocks])
    np.testing.assert_array_equal(covered, np.arange(n_events))


def test_a_longer_sample_begins_with_the_same_blocks() -> None:
    assert blocks_of("ggH_4l", 2 * EVENTS_PER_BLOCK, 1) == blocks_of("ggH_4l", 5 * EVENTS_PER_BLOCK, 1)[:2]


def test_random_numbers_belong_to_seed_process_block_and_purpose() -> None:
    blocks = [Block(p, s, n, 0, 1) for p in ("ggH_4l", "VBF_4l") for s in (1, 2, 2**40) for n in (0, 1)]
    seeds = {block.pythia_seed() for block in blocks}
    assert len(seeds) == len(blocks)
    assert all(1 <= seed <= 900_000_000 for seed in seeds)
    draws = {block.stream(purpose).random() for block in blocks for purpose in ("muons", "electrons")}
    assert len(draws) == 2 * len(blocks)
    assert blocks[0].stream("muons").random() == blocks[0].stream("muons").random()


def test_the_same_seed_gives_the_same_events_in_later_versions() -> None:
    # pinned: whoever changes these numbers changes every sample
    assert Block("ggH_4l", 1, 0, 0, 1).pythia_seed() == 228005638
