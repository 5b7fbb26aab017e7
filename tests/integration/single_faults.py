"""One fault each, with the tests that fail because of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    source: str
    tests: str
    exception: str = "AssertionError"
    message: str = ""


BUGS: dict[str, Bug] = {
    "inverted comparison": Bug(
        """\
        def discount(total, threshold=100):
            # Large orders are cheaper.
            if total < threshold:
                return total * 0.9
            return total
        """,
        """\
        from shop import discount

        def test_large():
            assert discount(200) == 180

        def test_small():
            assert discount(50) == 50

        def test_at_the_threshold():
            assert discount(100) == 90
        """,
    ),
    "off by one in a range": Bug(
        """\
        def total_of_first(prices, count):
            total = 0
            for place in range(1, count):
                total += prices[place]
            return total
        """,
        """\
        from shop import total_of_first

        def test_two():
            assert total_of_first([5, 7, 9], 2) == 12

        def test_none():
            assert total_of_first([5, 7], 0) == 0

        def test_all():
            assert total_of_first([5, 7], 2) == 12
        """,
    ),
    "wrong variable": Bug(
        """\
        def invoice(net, rate, shipping):
            tax = net * rate
            gross = net + tax
            return net + shipping
        """,
        """\
        from shop import invoice

        def test_with_tax():
            assert invoice(100, 0.5, 10) == 160

        def test_without_tax():
            assert invoice(100, 0, 10) == 110
        """,
    ),
    "missing return": Bug(
        """\
        def normalised(name):
            cleaned = name.strip().lower()
            if not cleaned:
                return "unknown"
            cleaned.replace(" ", "-")
        """,
        """\
        from shop import normalised

        def test_name():
            assert normalised(" Red Chair ") == "red-chair"

        def test_plain():
            assert normalised("lamp") == "lamp"

        def test_nothing():
            assert normalised("  ") == "unknown"
        """,
    ),
    "swapped arguments": Bug(
        """\
        def share(part, whole):
            return round(100 * part / whole)

        def progress(done, planned):
            if planned == 0:
                return 100
            return share(planned, done)
        """,
        """\
        from shop import progress

        def test_half():
            assert progress(5, 10) == 50

        def test_quarter():
            assert progress(1, 4) == 25

        def test_nothing_planned():
            assert progress(0, 0) == 100
        """,
    ),
    "wrong operator": Bug(
        """\
        class Stock:
            def __init__(self):
                self.items = {}

            def add(self, name, count):
                self.items[name] = self.items.get(name, 0) + count

            def take(self, name, count):
                self.items[name] += count
                return self.items[name]
        """,
        """\
        from shop import Stock

        def test_take():
            stock = Stock()
            stock.add("chair", 5)
            assert stock.take("chair", 2) == 3

        def test_add():
            stock = Stock()
            stock.add("chair", 5)
            assert stock.items == {"chair": 5}
        """,
    ),
    "missing guard for empty input": Bug(
        """\
        def average(values):
            return sum(values) / len(values)
        """,
        """\
        from shop import average

        def test_some():
            assert average([1, 2, 3]) == 2

        def test_empty():
            assert average([]) == 0
        """,
        "ZeroDivisionError",
    ),
    "wrong default": Bug(
        """\
        def counts(words):
            found = {}
            for word in words:
                found[word] = found.get(word, 1) + 1
            return found
        """,
        """\
        from shop import counts

        def test_counts():
            assert counts(["a", "b", "a"]) == {"a": 2, "b": 1}

        def test_empty():
            assert counts([]) == {}
        """,
    ),
    "wrong slice": Bug(
        """\
        def newest(entries, count):
            ordered = sorted(entries)
            return ordered[:count]
        """,
        """\
        from shop import newest

        def test_two():
            assert newest([3, 1, 2], 2) == [2, 3]

        def test_one():
            assert newest([3, 9, 2], 1) == [9]
        """,
    ),
    "wrong connective": Bug(
        """\
        def may_order(user, item):
            return user["active"] or item["stock"] > 0
        """,
        """\
        from shop import may_order

        def test_both():
            assert may_order({"active": True}, {"stock": 1})

        def test_blocked():
            assert not may_order({"active": False}, {"stock": 1})

        def test_sold_out():
            assert not may_order({"active": True}, {"stock": 0})
        """,
    ),
    "wrong attribute": Bug(
        """\
        class Box:
            def __init__(self, width, height, depth):
                self.width = width
                self.height = height
                self.depth = depth

            def volume(self):
                return self.width * self.height * self.width
        """,
        """\
        from shop import Box

        def test_volume():
            assert Box(2, 3, 5).volume() == 30

        def test_cube():
            assert Box(2, 2, 2).volume() == 8
        """,
    ),
    "forgotten self": Bug(
        """\
        class Basket:
            def __init__(self, prices):
                self.prices = prices

            def total(self):
                return sum(prices)
        """,
        """\
        from shop import Basket

        def test_total():
            assert Basket([1, 2]).total() == 3
        """,
        "NameError",
        "name 'prices' is not defined",
    ),
    "mutable default": Bug(
        """\
        def collect(item, into=[]):
            into.append(item)
            return into
        """,
        """\
        from shop import collect

        def test_first():
            assert collect(1) == [1]

        def test_second():
            assert collect(2) == [2]

        def test_given():
            assert collect(2, [1]) == [1, 2]
        """,
    ),
    "missing await": Bug(
        """\
        import asyncio

        async def price(name):
            await asyncio.sleep(0)
            return len(name)

        async def total(names):
            found = 0
            for name in names:
                found += price(name)
            return found
        """,
        """\
        import asyncio
        from shop import price, total

        def test_price():
            assert asyncio.run(price("abc")) == 3

        def test_total():
            assert asyncio.run(total(["abc", "d"])) == 4
        """,
        "TypeError",
    ),
    "near-miss spelling": Bug(
        """\
        def order_sum(amounts):
            subtotal = 0
            for amount in amounts:
                subtotal += amount
            return subtotl
        """,
        """\
        from shop import order_sum

        def test_sum():
            assert order_sum([1, 2]) == 3
        """,
        "NameError",
    ),
    "wrong constant of the module": Bug(
        """\
        FREE_FROM = 51

        def shipping(total):
            if total >= FREE_FROM:
                return 0
            return 5
        """,
        """\
        from shop import shipping

        def test_free():
            assert shipping(50) == 0

        def test_paid():
            assert shipping(49) == 5
        """,
    ),
    "statement in the wrong block": Bug(
        """\
        def longest(words):
            best = ""
            for word in words:
                if len(word) > len(best):
                    best = word
                return best
        """,
        """\
        from shop import longest

        def test_longest():
            assert longest(["a", "ccc", "bb"]) == "ccc"

        def test_first():
            assert longest(["ccc", "bb"]) == "ccc"
        """,
    ),
    "missing check of an argument": Bug(
        """\
        def withdraw(balance, amount):
            return balance - amount
        """,
        """\
        import pytest
        from shop import withdraw

        def test_withdraw():
            assert withdraw(10, 4) == 6
            assert withdraw(4, 4) == 0

        def test_too_much():
            with pytest.raises(ValueError):
                withdraw(4, 10)
        """,
        "Failed",
        "DID NOT RAISE <class 'ValueError'>",
    ),
}
