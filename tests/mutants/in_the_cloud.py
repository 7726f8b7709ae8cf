"""Mutants of the cloud's part, and of the proof."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RIGHTS = "tests/infra/test_till_rights.py::"
HOOK = "tests/infra/test_provisioning_hook.py::"
ENDINGS = "tests/infra/test_claim_endings.py::"
KITS = "tests/provisioning/test_kits_in_numbers.py::"
AT_ONCE = "tests/provisioning/test_two_at_once.py::"
RECONCILE = "tests/sales/test_reconcile.py::"

IN_THE_CLOUD = (
    Mutant(
        "LeadingKeys condition dropped",
        13,
        "infra/identity/token_exchange.py",
        'own_keys = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [THING]}}',
        "own_keys: dict[str, dict[str, list[str]]] = {}",
        (f"{RIGHTS}test_a_till_writes_and_reads_its_own_sales_only",),
    ),
    Mutant(
        "an expired claim is admitted",
        14,
        "infra/identity/hook/handler.py",
        'if int(row.get("claim_expires_at", 0)) <= now:',
        "if False:",
        (f"{HOOK}test_a_refusal_is_counted_and_logged_with_its_reason",),
    ),
    Mutant(
        "a used claim is admitted",
        14,
        "infra/identity/hook/handler.py",
        'if row.get("state") != "pending":',
        "if False:",
        (f"{HOOK}test_a_refusal_is_counted_and_logged_with_its_reason",),
    ),
    Mutant(
        "a used claim keeps its certificate",
        43,
        "infra/identity/certificates.py",
        "        retirement.claim(ended)\n",
        "        pass\n",
        (f"{ENDINGS}test_after_first_contact_the_claims_certificate_is_gone",),
    ),
    Mutant(
        "a replaced card keeps its certificate",
        43,
        "infra/identity/certificates.py",
        '        retirement.till(other, row["thing"])\n',
        "        pass\n",
        (f"{ENDINGS}test_a_replaced_tills_earlier_certificate_is_revoked_by_the_new_ones_first_contact",),
    ),
    Mutant(
        "a late call keeps the rights that it gave",
        50,
        "infra/identity/rotation/signing.py",
        '        if not self._stands(row["thing"], certificate_id):\n',
        "        if False:\n",
        (f"{AT_ONCE}test_a_late_call_gives_no_rights_to_what_somebody_was_just_taking_away",),
    ),
    Mutant(
        "what a cut-off run left is not withdrawn",
        44,
        "fleet_provisioning/kits.py",
        "            if place.earlier:\n",
        "            if False:\n",
        (f"{KITS}test_a_run_that_was_killed_anywhere_is_finished_by_the_next",),
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
