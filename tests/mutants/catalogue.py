"""The mutants, in the order of what they would cost: the till, the delivery, the cloud, the proof."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

POWER = "tests/faults/test_power_cuts.py::"
DISKS = "tests/faults/test_faulty_disks.py::"
SELLING = "tests/pos/test_pos_selling.py::"
MODEL = "tests/pos/test_pos_ledger_model.py::"
OUTAGES = "tests/pos/test_pos_outages.py::"
FORMAT = "tests/edgekit/test_record_format.py::"
PARTS = "tests/edgekit/test_edgekit_parts.py::"
DELIVERY = "tests/sync/test_sync_delivery.py::"
FAULTS = "tests/sync/test_sync_faults.py::"
RIGHTS = "tests/infra/test_till_rights.py::"
RECONCILE = "tests/sales/test_reconcile.py::"
MUTANTS = (
    Mutant(
        "synchronous=OFF",
        1,
        "edge_components/pos/database.py",
        '("synchronous", 2)',
        '("synchronous", 0)',
        (f"{POWER}test_no_answer_leaves_the_till_before_its_record_is_on_disk",),
    ),
    Mutant(
        "synchronous=NORMAL",
        1,
        "edge_components/pos/database.py",
        '("synchronous", 2)',
        '("synchronous", 1)',
        (f"{POWER}test_after_a_power_cut_at_sampled_moments_nothing_acknowledged_is_lost",),
    ),
    Mutant(
        "acknowledge before commit",
        1,
        "edge_components/pos/writer.py",
        '        connection.execute("COMMIT").fetchall()\n',
        '        self._answer(batch)\n        connection.execute("COMMIT").fetchall()\n',
        (f"{POWER}test_no_answer_leaves_the_till_before_its_record_is_on_disk",),
    ),
    Mutant(
        "go on after a failed sync",
        17,
        "edge_components/pos/writer.py",
        "            os._exit(EXIT_IO_ERROR)\n",
        "            self._run()\n",
        (
            f"{DISKS}test_after_a_failed_sync_the_till_leaves_and_what_it_acknowledged_is_there_when_it_is_back",
        ),
    ),
    Mutant(
        "a full disk goes unnoticed",
        18,
        "edge_components/pos/writer.py",
        "if not self._room.left():",
        "if False:",
        (f"{DISKS}test_on_a_full_disk_selling_stops_with_a_clear_error_and_goes_on_when_there_is_space",),
    ),
    Mutant(
        "two tills on one ledger",
        19,
        "edge_components/pos/lock.py",
        "fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)",
        (f"{DISKS}test_of_two_tills_on_one_ledger_one_sells_and_the_other_says_why_not",),
    ),
    Mutant(
        "a sale sent again is recorded again",
        2,
        "edge_components/pos/ledger.py",
        '"SELECT record FROM records WHERE sale_id = ?", (sale_id,)',
        '"SELECT record FROM records WHERE sale_id = ? AND 0", (sale_id,)',
        (f"{SELLING}test_the_same_sale_sent_again_gets_the_same_receipt_and_is_recorded_once",),
    ),
    Mutant(
        "other content passes for a repeat",
        2,
        "edge_components/pos/rules.py",
        'said = ("currency", "lines", "payments", "customer_ref", "sold_at")',
        'said = ("currency",)',
        (f"{SELLING}test_a_sale_id_with_other_content_is_a_conflict_and_changes_nothing",),
    ),
    Mutant(
        "receipt numbers outside the transaction",
        3,
        "edge_components/pos/ledger.py",
        "        self._position = position\n\n    def open_epoch",
        "        self._position = replace(position, receipts=self.position.receipts)\n\n    def open_epoch",
        ("tests/pos/test_pos_ledger_model.py",),
    ),
    Mutant(
        "a damaged ledger is deleted",
        6,
        "edge_components/pos/database.py",
        "shutil.move(source, folder / source.name)",
        "source.unlink()",
        (f"{OUTAGES}test_a_damaged_ledger_is_set_aside_whole_and_a_new_epoch_says_why",),
    ),
    Mutant(
        "the newest records are not checked at start",
        6,
        "edge_components/pos/opening.py",
        "    broken = record.first_break(records)\n",
        "    broken = None\n",
        (f"{OUTAGES}test_a_damaged_ledger_is_set_aside_whole_and_a_new_epoch_says_why",),
    ),
    Mutant(
        "the hash is left out",
        7,
        "edge_components/edgekit/record.py",
        'if record.get("hash") != record_hash(record):',
        "if False:",
        (f"{FORMAT}test_a_change_to_any_part_of_a_record_breaks_the_chain",),
    ),
    Mutant(
        "the chain is left out",
        7,
        "edge_components/edgekit/record.py",
        'if previous["hash"] != record["prev_hash"]:',
        "if False:",
        (f"{FORMAT}test_a_missing_a_repeated_and_a_foreign_record_break_the_chain",),
    ),
    Mutant(
        "a reader may write",
        8,
        "edge_components/edgekit/ledger.py",
        "connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)  # what mode=ro sets",
        "connection = apsw.Connection(str(path)); connection.pragma = lambda *_: None",
        (f"{PARTS}test_a_user_who_may_not_write_can_read_what_is_still_in_the_wal",),
    ),
    Mutant(
        "a file is renamed before it is on disk",
        20,
        "edge_components/edgekit/files.py",
        "            os.fsync(file.fileno())\n",
        "",
        (f"{POWER}test_a_file_written_whole_is_there_as_soon_as_the_program_says_so",),
    ),
    Mutant(
        "a rename is not synced",
        20,
        "edge_components/edgekit/files.py",
        "    sync_directory(path.parent)\n\n",
        "\n",
        (f"{POWER}test_a_file_written_whole_is_there_as_soon_as_the_program_says_so",),
    ),
    Mutant(
        "the cursor before the acknowledgement",
        9,
        "edge_components/sync/table.py",
        "there += acknowledged",
        "there += len(chunk)",
        (f"{FAULTS}test_the_watermark_never_passes_a_record_that_was_not_acknowledged",),
    ),
    Mutant(
        "UnprocessedItems ignored",
        9,
        "edge_components/sync/table.py",
        'undone = answer["UnprocessedItems"].get(table, [])',
        "undone = []",
        (f"{FAULTS}test_records_left_unprocessed_are_sent_again",),
    ),
    Mutant(
        "the published cursor is the faster sink's",
        9,
        "edge_components/sync/progress.py",
        "seq = min(state.watermark(sink, head.epoch) or 0 for sink in SINKS)",
        "seq = max(state.watermark(sink, head.epoch) or 0 for sink in SINKS)",
        (f"{DELIVERY}test_the_cursor_is_what_both_sinks_have",),
    ),
    Mutant(
        "segment bounds not fixed before the put",
        10,
        "edge_components/sync/bucket.py",
        "self._state.fix(segment(self._settings.thing, rows))",
        "self._put(segment(self._settings.thing, rows))",
        (f"{DELIVERY}test_a_segment_fixed_before_a_crash_is_put_as_it_was_fixed",),
    ),
    Mutant(
        "gzip carries the time",
        10,
        "edge_components/sync/bucket.py",
        "gzip.compress(lines.encode(), LEVEL, mtime=0)",
        "gzip.compress(lines.encode(), LEVEL, mtime=time.time_ns() % 4_000_000_000)",
        (f"{DELIVERY}test_a_segments_bytes_do_not_tell_when_it_was_made",),
    ),
    Mutant(
        "If-None-Match dropped",
        10,
        "edge_components/sync/bucket.py",
        '                IfNoneMatch="*",\n',
        "",
        (f"{DELIVERY}test_other_content_under_a_segments_key_is_neither_overwritten_nor_in_the_way",),
    ),
    Mutant(
        "a lost sync.db adopts nothing",
        10,
        "edge_components/sync/bucket.py",
        "after = self._adoption.watermark(head.epoch)",
        "after = 0",
        (f"{DELIVERY}test_a_lost_state_adopts_the_segments_that_lie_in_the_bucket",),
    ),
    Mutant(
        "the head moves backwards",
        21,
        "edge_components/sync/items.py",
        '"attribute_not_exists(pk) OR #epoch < :epoch OR (#epoch = :epoch AND #seq <= :seq)"',
        '"attribute_not_exists(pk) OR #epoch <> :epoch OR #epoch = :epoch OR #seq <> :seq"',
        (f"{DELIVERY}test_the_head_says_the_last_record_and_never_goes_back",),
    ),
    Mutant(
        "a captive portal's page counts as an answer",
        12,
        "edge_components/sync/cloud.py",
        'if status < 400 or "html" in kind:',
        "if status > 1_000:",
        (f"{FAULTS}test_each_trouble_is_told_apart_and_waited_out",),
    ),
    Mutant(
        "one record's content blocks the rest",
        12,
        "edge_components/sync/table.py",
        "            return self._one_by_one(chunk)\n",
        "            return 0, error\n",
        (f"{FAULTS}test_a_record_refused_for_its_content_is_kept_aside_and_blocks_nothing",),
    ),
    Mutant(
        "an older sum takes a newer one's place",
        27,
        "edge_components/sync/rollups.py",
        '"attribute_not_exists(pk) OR #version < :version"',
        '"attribute_not_exists(pk) OR #version <> :version"',
        (
            "tests/aggregator/test_rollup_delivery.py::"
            "test_lost_sums_are_counted_again_and_nothing_goes_back_in_the_table",
        ),
    ),
    Mutant(
        "the cloud is not asked before delivering",
        23,
        "edge_components/sync/table.py",
        "        self._heads.asked_first()\n",
        "",
        (
            "tests/sync/test_sync_heads.py::"
            "test_the_cloud_is_asked_before_anything_new_would_hide_what_it_had",
        ),
    ),
    Mutant(
        "retention goes by the faster consumer",
        34,
        "edge_components/pos/retention.py",
        "return min(places.values()) if places",
        "return max(places.values()) if places",
        ("tests/pos/test_pos_retention.py::test_what_one_consumer_has_not_passed_stays",),
    ),
    Mutant(
        "LeadingKeys condition dropped",
        13,
        "infra/identity/token_exchange.py",
        'own_keys = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [THING]}}',
        "own_keys: dict[str, dict[str, list[str]]] = {}",
        (f"{RIGHTS}test_a_till_writes_and_reads_its_own_sales_only",),
    ),
    Mutant(
        "prev_hash not checked by reconcile",
        15,
        "sales/chain.py",
        "follows = not adjacent or last is None or told == last.hash",
        "follows = True",
        (f"{RECONCILE}test_a_record_that_does_not_follow_the_one_before_breaks_the_chain",),
    ),
    Mutant(
        "reconcile overlooks a missing record",
        15,
        "sales/chain.py",
        "            self._absent(Kind.MISSING_IN_TABLE, position)\n",
        "            return\n",
        (f"{RECONCILE}test_a_swallowed_write_to_the_table_is_lost_and_named",),
    ),
)
