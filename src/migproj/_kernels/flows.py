"""Flows between countries from stocks by birthplace: the accounts, and the tables that fit them."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel, uintp

# How births are spread over birthplaces: natives of the country, or as the stock at the end.
NATIVE = 0
STOCK_END = 1

# How deaths are: as the stock at the start, or so that every birthplace's account closes.
STOCK_START = 0
BIRTHPLACE = 1

# What becomes of a birthplace with fewer or more people at the end than its account has.
CLOSED = 0  # both stocks are fitted to the mean
OPEN = 1  # people left as the start's stock is spread, or came as the end's
OPEN_CROSSED = 2  # left as the end's stock is spread, or came as the start's

# When the native-born are scaled so that people of all countries add up (CLOSED alone).
BALANCE_BEFORE = 0  # before births and deaths are taken off
BALANCE_AFTER = 1

# What can be wrong with a table; the place that goes with it is a country or a birthplace.
NOTHING = 0
DEATHS_ABOVE = 1  # of a country, than people of a birthplace in it
BIRTHS_ABOVE = 2
NO_NATIVES = 3
DEATHS_UNMET = 4
START_UNMET = 5
END_UNMET = 6
OUTSIDE_ABOVE = 7
FLOWS_UNMET = 8

#: What rounding may leave of a cell that is taken off whole, as a share of all people.
_ROUNDING = 1e-12

#: Rounds of a fit from one guess of where it ends to the next, and how many rounds it looks ahead.
_EVERY = 5
_FARTHEST = 1e4
_STEP = 50.0  # the largest change of the logarithm of a factor


@helper
def _column_sums(
    table: FloatArray, height: int, width: int, by_row: FloatArray, sums: FloatArray
) -> None:
    for j in range(uintp(width)):
        sums[j] = 0.0
    for i in range(uintp(height)):
        for j in range(uintp(width)):
            sums[j] += by_row[i] * table[i, j]


@helper
def _fit(
    table: FloatArray,  # of 0 or more; its first `height` rows and `width` columns are read
    height: int,
    width: int,
    rows: FloatArray,
    columns: FloatArray,
    work: FloatArray,  # (8, at least as many as rows or columns); 4 to 6 are not touched
    tolerance: float,
    limit: int,
) -> tuple[int, float, int]:
    """Multiply rows and columns of a table by factors that give it its margins.

    Columns are met to rounding and rows to `tolerance`, a share of the largest. Returns how many
    times rows were fitted, the largest error, and where (columns come after the rows).

    Proportional fitting ends as a geometric series. Its rate is seen from the errors, and every
    few rounds the rest of the series is added (Aitken), and taken back if errors grew by it.
    """
    by_row, by_column, renewed, sums, kept = work[0], work[1], work[2], work[3], work[7]
    largest = 0.0
    for i in range(uintp(height)):
        by_row[i] = 1.0
        largest = max(largest, rows[i])
    _column_sums(table, height, width, by_row, sums)
    error = 0.0
    at = 0
    times = 0
    guessed = False
    while True:
        before = error
        for j in range(uintp(width)):
            if sums[j] > 0.0:
                by_column[j] = columns[j] / sums[j]
            elif columns[j] > 0.0:
                return times, float(columns[j]), height + int(np.int64(j))
            else:
                by_column[j] = 0.0
            sums[j] = 0.0
        error = 0.0
        at = 0
        # One pass over the table: how far off rows are, their new factors, and columns with them.
        for i in range(uintp(height)):
            have = 0.0
            for j in range(uintp(width)):
                have += table[i, j] * by_column[j]
            miss = abs(by_row[i] * have - rows[i])
            if miss > error:
                error = miss
                at = int(np.int64(i))
            factor = 0.0
            if have > 0.0:
                factor = rows[i] / have
            elif rows[i] > 0.0:
                return times, float(rows[i]), int(np.int64(i))
            renewed[i] = factor
            for j in range(uintp(width)):
                sums[j] += factor * table[i, j]
        if error <= tolerance * largest or times == limit:
            break
        times += 1
        if guessed and not error < before:
            guessed = False
            error = before
            for i in range(uintp(height)):
                by_row[i] = kept[i]
            _column_sums(table, height, width, by_row, sums)
            continue
        guessed = times % _EVERY == 0 and error < before
        power = min(error / (before - error), _FARTHEST) if guessed else 0.0
        for i in range(uintp(height)):
            last = by_row[i]
            by_row[i] = renewed[i]
            kept[i] = renewed[i]
            if guessed and last > 0.0 and renewed[i] > 0.0:
                step = power * math.log(renewed[i] / last)
                by_row[i] *= math.exp(max(min(step, _STEP), -_STEP))
        if guessed:
            _column_sums(table, height, width, by_row, sums)
    for i in range(uintp(height)):
        for j in range(uintp(width)):
            table[i, j] *= by_row[i] * by_column[j]
    return times, error, at


@helper
def _scale_natives(stock: FloatArray, more: float) -> int:
    """Scale the native-born so that they are `more` in all."""
    natives = 0.0
    for c in range(stock.shape[0]):
        natives += stock[c, c]
    if more == 0.0:
        return NOTHING
    if natives == 0.0 or natives + more < 0.0:
        return NO_NATIVES
    for c in range(stock.shape[0]):
        stock[c, c] += more * (stock[c, c] / natives)
    return NOTHING


@helper
def _balance(first: FloatArray, last: FloatArray, growth: float) -> int:
    """Scale natives at both instants, by half each, so that people of all places grow so much."""
    more = growth
    for c in range(first.shape[0]):
        for k in range(first.shape[0]):
            more += first[c, k] - last[c, k]
    code: int = _scale_natives(first, -0.5 * more)
    if code == NOTHING:
        code = _scale_natives(last, 0.5 * more)
    return code


@helper
def _spread(totals: FloatArray, stock: FloatArray, spread: FloatArray, axis: int) -> int:
    """Spread totals by country (axis 0) or birthplace (axis 1) as the stock is.

    Returns the first place with a total and no stock, or -1.
    """
    odd = -1
    for i in range(stock.shape[0]):
        people = 0.0
        for j in range(stock.shape[0]):
            people += stock[i, j] if axis == 0 else stock[j, i]
        each = totals[i] / people if people > 0.0 else 0.0
        if people == 0.0 and totals[i] > 0.0 and odd < 0:
            odd = i
        for j in range(stock.shape[0]):
            if axis == 0:
                spread[i, j] = each * stock[i, j]
            else:
                spread[j, i] = each * stock[j, i]
    return odd


@helper
def _take(stock: FloatArray, off: FloatArray) -> tuple[int, int]:
    """Take some people off a stock. Returns the first cell with too few, or -1 and -1.

    Fewer than none by the rounding of all of them are none.
    """
    people = 0.0
    for c in range(stock.shape[0]):
        for k in range(stock.shape[0]):
            people += stock[c, k]
    for c in range(stock.shape[0]):
        for k in range(stock.shape[0]):
            left = stock[c, k] - off[c, k]
            if left < -_ROUNDING * people:
                return c, k
            stock[c, k] = max(left, 0.0)
    return -1, -1


@helper
def _fit_stock(
    stock: FloatArray,
    birthplaces: FloatArray,
    work: FloatArray,
    tolerance: float,
    limit: int,
) -> tuple[int, float, int, bool]:
    """Fit a stock to totals by birthplace; those by country stay. Also whether they are met."""
    n = stock.shape[0]
    rows = work[4]
    largest = 0.0
    for c in range(n):
        rows[c] = 0.0
        for k in range(n):
            rows[c] += stock[c, k]
        largest = max(largest, rows[c])
    times, error, at = _fit(stock, n, n, rows, birthplaces, work, tolerance, limit)
    return times, error, at, error <= tolerance * largest


@helper
def _deaths_by_account(
    first: FloatArray,
    last: FloatArray,
    births: FloatArray,
    deaths: FloatArray,
    dead: FloatArray,
    work: FloatArray,
    tolerance: float,
    limit: int,
) -> tuple[int, float, int, bool]:
    """Deaths that close the account of every birthplace, near those in proportion to the stock."""
    n = first.shape[0]
    columns = work[4]
    largest = 0.0
    for k in range(n):
        columns[k] = births[k]
        largest = max(largest, deaths[k])
        for c in range(n):
            columns[k] += first[c, k] - last[c, k]
            dead[c, k] = first[c, k]
    for k in range(n):
        if columns[k] < 0.0:
            return 0, -columns[k], n + k, False
    times, error, at = _fit(dead, n, n, deaths, columns, work, tolerance, limit)
    return times, error, at, error <= tolerance * largest


@helper
def _births_of(births: FloatArray, rule: int, last: FloatArray, born: FloatArray) -> int:
    """Births by birthplace. Returns how many countries have more of them than natives."""
    n = last.shape[0]
    for c in range(n):
        if rule == NATIVE and births[c] <= last[c, c]:
            for k in range(n):
                born[c, k] = 0.0
            born[c, c] = births[c]
    if rule != NATIVE:
        return 0
    many = 0
    for c in range(n):
        if births[c] > last[c, c]:
            many += 1
    return many


@helper
def _account(
    people: FloatArray,  # (8, countries, birthplaces): the parts that `accounts` makes
    births: FloatArray,
    deaths: FloatArray,
    work: FloatArray,  # (8, countries): see `_fit`
    birth_rule: int,
    death_rule: int,
    system: int,
    balance: int,
    tolerance: float,
    limit: int,
) -> tuple[int, int, int, float, int]:
    """Returns a fault and its place, the times and the error of fits, and births spread."""
    first, last, born, dead, left, came = (
        people[0],
        people[1],
        people[2],
        people[3],
        people[4],
        people[5],
    )
    n = first.shape[0]
    times = 0
    error = 0.0
    if system == CLOSED and balance == BALANCE_BEFORE:
        growth = 0.0
        for c in range(n):
            growth += births[c] - deaths[c]
        if _balance(first, last, growth) != NOTHING:
            return NO_NATIVES, 0, times, error, 0
    if death_rule == STOCK_START:
        at = _spread(deaths, first, dead, 0)
        if at >= 0:
            return DEATHS_ABOVE, at, times, error, 0
    else:
        times, error, at, met = _deaths_by_account(
            first, last, births, deaths, dead, work, tolerance, limit
        )
        if not met:
            return DEATHS_UNMET, at, times, error, 0
    at = _spread(births, last, born, 0)
    if at >= 0:
        return BIRTHS_ABOVE, at, times, error, 0
    many = _births_of(births, birth_rule, last, born)
    c, _ = _take(first, dead)
    if c >= 0:
        return DEATHS_ABOVE, c, times, error, many
    c, _ = _take(last, born)
    if c >= 0:
        return BIRTHS_ABOVE, c, times, error, many
    if system == CLOSED and balance == BALANCE_AFTER and _balance(first, last, 0.0) != NOTHING:
        return NO_NATIVES, 0, times, error, many
    fewer, more = work[5], work[6]
    for k in range(n):
        before = 0.0
        after = 0.0
        for c in range(n):
            before += first[c, k]
            after += last[c, k]
        if system == CLOSED:
            fewer[k] = 0.5 * (before + after)
        else:
            fewer[k] = max(before - after, 0.0)
            more[k] = max(after - before, 0.0)
    if system == CLOSED:
        for side in range(2):
            again, off, at, met = _fit_stock(people[side], fewer, work, tolerance, limit)
            times = max(times, again)
            error = max(error, off)
            if not met:
                return (START_UNMET if side == 0 else END_UNMET), at, times, error, many
        return NOTHING, 0, times, error, many
    at = _spread(fewer, first if system == OPEN else last, left, 1)
    if at < 0:
        at = _spread(more, last if system == OPEN else first, came, 1)
    if at < 0:
        _, at = _take(first, left)
    if at < 0:
        _, at = _take(last, came)
    return (OUTSIDE_ABOVE if at >= 0 else NOTHING), at, times, error, many


@kernel
def accounts(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, countries, birthplaces)
    start_row: IntArray,
    end: FloatArray,  # (rows, countries, birthplaces)
    end_row: IntArray,
    births: FloatArray,  # (rows, countries)
    births_row: IntArray,
    deaths: FloatArray,  # (rows, countries)
    deaths_row: IntArray,
    parts: FloatArray,  # outputs (rows, 8, countries, birthplaces): see below
    iterations: IntArray,  # outputs (rows)
    error: FloatArray,
    fault: IntArray,  # codes above
    place: IntArray,  # a country, or after all of them a birthplace
    spread: IntArray,  # countries with more births than natives at the end
    out_row: IntArray,
    birth_rule: int,  # codes above
    death_rule: int,
    system: int,
    balance: int,
    tolerance: float,
    limit: int,
) -> None:
    """Close the account of everyone.

    The parts are: where those are at the start, and at the end, who are there at both; births;
    deaths; who left for the outside; who came from there; and by how much a closed system changed
    the stocks at the start, and at the end.
    """
    n = start.shape[1]
    work = np.empty((8, n))
    for b in range(lo, hi):
        o = out_row[b]
        people = parts[o]
        unknown = 0.0
        for c in range(n):
            unknown += births[births_row[b], c] + deaths[deaths_row[b], c]
            for k in range(n):
                people[0, c, k] = start[start_row[b], c, k]
                people[1, c, k] = end[end_row[b], c, k]
                unknown += people[0, c, k] + people[1, c, k]
                for part in range(2, 8):
                    people[part, c, k] = 0.0
        fault[o] = NOTHING
        place[o] = 0
        iterations[o] = 0
        error[o] = math.nan
        spread[o] = 0
        if not math.isnan(unknown):
            fault[o], place[o], iterations[o], error[o], spread[o] = _account(
                people,
                births[births_row[b]],
                deaths[deaths_row[b]],
                work,
                birth_rule,
                death_rule,
                system,
                balance,
                tolerance,
                limit,
            )
        none = math.isnan(unknown) or fault[o] != NOTHING
        for c in range(n):
            for k in range(n):
                if system == CLOSED:
                    people[6, c, k] = people[0, c, k] + people[3, c, k] - start[start_row[b], c, k]
                    people[7, c, k] = people[1, c, k] + people[2, c, k] - end[end_row[b], c, k]
                if none:
                    for part in range(8):
                        people[part, c, k] = math.nan


@helper
def _uniform(row: FloatArray, each: float, columns: FloatArray, anew: bool) -> None:
    """A row of the table with margins and no other structure; or add it to what is there."""
    if anew:
        for j in range(uintp(columns.size)):
            row[j] = each * columns[j]
    elif each != 0.0:
        for j in range(uintp(columns.size)):
            row[j] += each * columns[j]


@kernel
def fill(
    lo: int,
    hi: int,
    before: FloatArray,  # (rows, birthplaces, countries): where those of each are at the start
    before_row: IntArray,
    after: FloatArray,  # (rows, birthplaces, countries): and at the end, as many of them
    after_row: IntArray,
    prior: FloatArray,  # (rows, birthplaces or 1, origins, destinations), or 1 by 1: none
    prior_row: IntArray,
    flows: FloatArray,  # outputs (rows, origins, destinations): of all birthplaces together
    stayers: FloatArray,  # (rows, birthplaces, countries)
    iterations: IntArray,  # (rows)
    error: FloatArray,
    fault: IntArray,
    place: IntArray,  # an origin, after all of them a destination; so on for each birthplace
    out_row: IntArray,
    given: bool,  # whether there is a prior
    weight: float,  # of the fewest movers; the rest as if all had moved or not by chance
    tolerance: float,
    limit: int,
) -> None:
    n = before.shape[2]
    rows = np.empty(n)
    columns = np.empty(n)
    few_rows = np.empty(n)
    few_columns = np.empty(n)
    row_at = np.empty(n, np.int64)
    column_at = np.empty(n, np.int64)
    table = np.empty((n, n)) if given else np.empty((1, 1))
    work = np.empty((8, n))
    for b in range(lo, hi):
        o = out_row[b]
        p = prior_row[b]
        iterations[o] = 0
        error[o] = 0.0
        fault[o] = NOTHING
        place[o] = 0
        unknown = False
        anew = not given
        if given:
            for i in range(n):
                for j in range(uintp(n)):
                    flows[o, i, j] = 0.0
        for k in range(before.shape[1]):
            for i in range(n):
                stayers[o, k, i] = 0.0
            for part in range(2):
                share = weight if part == 0 else 1.0 - weight
                if share == 0.0:
                    continue
                total = 0.0
                other = 0.0
                for i in range(n):
                    first, last = before[before_row[b], k, i], after[after_row[b], k, i]
                    stay = min(first, last) if part == 0 else 0.0
                    rows[i] = first - stay
                    columns[i] = last - stay
                    stayers[o, k, i] += share * stay
                    total += rows[i]
                    other += columns[i]
                if not given:
                    # Who moves where by chance: the table of its margins, without any iteration.
                    error[o] = max(error[o], abs(total - other))
                    for i in range(n):
                        each = share * rows[i] / total if total > 0.0 else 0.0
                        _uniform(flows[o, i], each, columns, anew)
                    anew = False
                    continue
                height = 0
                width = 0
                largest = 0.0
                for i in range(n):
                    if rows[i] > 0.0:
                        row_at[height] = i
                        few_rows[height] = rows[i]
                        largest = max(largest, rows[i])
                        height += 1
                    if columns[i] > 0.0:
                        column_at[width] = i
                        few_columns[width] = columns[i]
                        width += 1
                q = k if prior.shape[1] > 1 else 0
                for i in range(height):
                    for j in range(width):
                        table[i, j] = prior[p, q, row_at[i], column_at[j]]
                times, off, at = _fit(
                    table, height, width, few_rows, few_columns, work, tolerance, limit
                )
                iterations[o] = max(iterations[o], times)
                if off > tolerance * largest and (fault[o] == NOTHING or off > error[o]):
                    fault[o] = FLOWS_UNMET
                    place[o] = 2 * n * k
                    place[o] += row_at[at] if at < height else n + column_at[at - height]
                error[o] = max(error[o], off)
                for i in range(height):
                    for j in range(width):
                        flows[o, row_at[i], column_at[j]] += share * table[i, j]
            for i in range(n):
                if math.isnan(before[before_row[b], k, i] + after[after_row[b], k, i]):
                    unknown = True
                stayers[o, k, i] += flows[o, i, i]
                flows[o, i, i] = 0.0
        if unknown:
            error[o] = math.nan
        if unknown or fault[o] != NOTHING:
            for k in range(before.shape[1]):
                for i in range(n):
                    stayers[o, k, i] = math.nan
            for i in range(n):
                for j in range(uintp(n)):
                    flows[o, i, j] = math.nan
