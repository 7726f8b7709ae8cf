"""The questions that everyone asks first, saved in the workgroup."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    name: str
    description: str
    sql: str

    @property
    def construct_id(self) -> str:
        return self.name.title().replace("-", "")


QUERIES = (
    Query(
        "takings",
        "Takings per store, business date and currency, in minor units, for the last 31 days",
        """SELECT store, business_date, body.currency AS currency, count(*) AS sales,
       sum(body.totals.total) AS total_minor_units
FROM sales
WHERE "date" >= date_format(current_date - INTERVAL '31' DAY, '%Y-%m-%d') AND kind = 'sale'
GROUP BY store, business_date, body.currency
ORDER BY business_date, store""",
    ),
    Query(
        "gaps",
        "Tills and epochs whose records on file are not one unbroken count",
        """SELECT thing, epoch, min(seq) AS first_seq, max(seq) AS last_seq, count(DISTINCT seq) AS records,
       count(*) - count(DISTINCT seq) AS doubled
FROM sales
GROUP BY thing, epoch
HAVING count(DISTINCT seq) <> max(seq) - min(seq) + 1 OR count(*) <> count(DISTINCT seq)
ORDER BY thing, epoch""",
    ),
    Query(
        "rejections",
        "What terminals sent that could not be recorded as a sale, newest first",
        """SELECT thing, store, terminal, recorded_at, exceptions
FROM sales
WHERE kind = 'rejection'
ORDER BY recorded_at DESC
LIMIT 100""",
    ),
)
