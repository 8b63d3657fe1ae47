"""Builds the sample web shop as a SQLite file: ``python build_shop.py shop.sqlite``.

The same rows on every machine and Python: all chance comes from ``random.Random(seed).random()``, the one
generator Python promises to keep. Names, addresses and orders are made up. Standard library only.
"""

import argparse
import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import fsum
from pathlib import Path
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

SEED = 20261001
FIRST_DAY = date(2025, 1, 1)
LAST_DAY = date(2026, 9, 30)
CUSTOMERS = 180
ORDERS = 760
SCHEMA = Path(__file__).with_name("shop_schema.sql")

FIRST_NAMES = (
    "Anna Ben Clara David Elena Felix Greta Hugo Ines Jonas Katja Lukas Maria Nils Olivia Paul "
    "Quentin Rosa Samuel Tessa Uwe Vera Willem Yara Zoe Amir Beatriz Chiara Dmitri Emma Fatima Giulia "
    "Henrik Ingrid Jakub Leonie Mateo Nadia Oscar Priya"
).split()
LAST_NAMES = (
    "Schneider Fischer Weber Wagner Becker Hoffmann Keller Richter Vogel Brandt Lindner Novak "
    "Kowalski Rossi Moretti Garcia Lopez Martin Dubois Laurent Jansen Visser Hansen Nielsen Evans "
    "Clarke Hughes Huber Gruber Steiner Meier Baumann Yilmaz Silva Okafor Sharma Petrov Larsen Berg "
    "Franke"
).split()
# city, country, postal code prefix, share of customers
CITIES = [
    ("Berlin", "DE", "101", 16),
    ("Hamburg", "DE", "203", 12),
    ("Munich", "DE", "803", 11),
    ("Cologne", "DE", "506", 8),
    ("Leipzig", "DE", "041", 6),
    ("Vienna", "AT", "10", 9),
    ("Graz", "AT", "80", 4),
    ("Zurich", "CH", "80", 6),
    ("Paris", "FR", "750", 8),
    ("Lyon", "FR", "690", 4),
    ("Amsterdam", "NL", "10", 6),
    ("Utrecht", "NL", "35", 3),
    ("London", "GB", "EC", 8),
    ("Manchester", "GB", "M", 4),
    ("Madrid", "ES", "280", 5),
    ("Milan", "IT", "201", 5),
    ("Warsaw", "PL", "00", 4),
    ("Copenhagen", "DK", "21", 4),
]
STREETS = [
    "Linden Street",
    "Mill Lane",
    "Station Road",
    "Garden Row",
    "Harbour Street",
    "Market Square",
    "Chapel Hill",
    "Orchard Way",
    "River Walk",
    "School Street",
    "Park Avenue",
    "Castle Road",
]
SUPPLIERS = [
    ("Nordlicht Design", "DE", 5),
    ("Alpenstahl", "AT", 9),
    ("Casa Verde", "IT", 12),
    ("Lumen & Co", "NL", 7),
    ("Tejo Trading", "PT", 14),
    ("Baltic Outdoor", "PL", 10),
    ("Kaito Electronics", "JP", 28),
    ("Pearl River Components", "CN", 35),
    ("Atelier Papier", "FR", 8),
    ("Fjord Textiles", "DK", 11),
]
# category: parent, supplier numbers, products as (name, price, kg)
CATALOGUE: dict[str, tuple[str, tuple[int, ...], list[tuple[str, float, float]]]] = {
    "Coffee & Tea": (
        "Kitchen",
        (1, 3, 5),
        [
            ("Pour-Over Kettle", 64.90, 1.1),
            ("French Press 1 l", 34.50, 0.9),
            ("Hand Coffee Grinder", 79.00, 0.7),
            ("Espresso Cup Set of 4", 29.90, 0.8),
            ("Glass Teapot", 39.90, 0.8),
            ("Moka Pot 6 Cups", 32.00, 0.9),
            ("Coffee Scale with Timer", 45.00, 0.5),
        ],
    ),
    "Cookware": (
        "Kitchen",
        (2, 3),
        [
            ("Cast Iron Pan 28 cm", 89.00, 3.2),
            ("Steel Saucepan 2 l", 54.90, 1.4),
            ("Enamel Dutch Oven", 139.00, 5.1),
            ("Wok 32 cm", 69.00, 1.9),
            ("Roasting Tin", 37.50, 1.8),
            ("Steamer Basket", 19.90, 0.4),
        ],
    ),
    "Knives": (
        "Kitchen",
        (2, 7),
        [
            ("Chef's Knife 20 cm", 119.00, 0.3),
            ("Bread Knife", 59.00, 0.3),
            ("Paring Knife", 24.90, 0.1),
            ("Knife Sharpener", 34.90, 0.4),
            ("Magnetic Knife Rack", 44.00, 0.9),
        ],
    ),
    "Lighting": (
        "Home",
        (1, 4),
        [
            ("Desk Lamp Arc", 99.00, 1.9),
            ("Floor Lamp Tripod", 189.00, 5.8),
            ("Pendant Light Copper", 149.00, 2.2),
            ("Night Light Moon", 24.50, 0.3),
            ("LED Bulb E27 3-Pack", 17.90, 0.2),
            ("String Lights 10 m", 27.90, 0.6),
        ],
    ),
    "Bedding": (
        "Home",
        (10, 5),
        [
            ("Linen Duvet Cover", 129.00, 1.7),
            ("Down Pillow", 74.90, 0.9),
            ("Wool Blanket", 109.00, 1.6),
            ("Cotton Fitted Sheet", 39.90, 0.8),
            ("Weighted Blanket 7 kg", 149.00, 7.2),
        ],
    ),
    "Storage": (
        "Home",
        (1, 3, 8),
        [
            ("Bamboo Box Set", 34.90, 1.5),
            ("Wall Shelf Oak", 79.00, 3.4),
            ("Laundry Basket", 44.90, 1.3),
            ("Jar Set of 6", 29.90, 2.1),
            ("Coat Rack", 64.00, 2.9),
        ],
    ),
    "Camping": (
        "Outdoor",
        (6, 8),
        [
            ("Two-Person Tent", 219.00, 2.6),
            ("Sleeping Bag Comfort 0", 139.00, 1.5),
            ("Camping Stove", 59.90, 0.4),
            ("Headlamp 400 lm", 39.90, 0.1),
            ("Folding Chair", 49.90, 2.7),
            ("Water Filter Bottle", 44.90, 0.3),
            ("Trekking Poles", 69.90, 0.5),
        ],
    ),
    "Cycling": (
        "Outdoor",
        (6, 8),
        [
            ("Bike Helmet Urban", 84.90, 0.4),
            ("Bike Light Set", 42.90, 0.2),
            ("Floor Pump", 49.00, 1.6),
            ("Pannier Bag 20 l", 94.00, 1.0),
            ("Folding Lock", 79.90, 1.2),
            ("Multi-Tool 16", 29.90, 0.2),
        ],
    ),
    "Garden": (
        "Outdoor",
        (1, 3, 6),
        [
            ("Pruning Shears", 34.90, 0.3),
            ("Watering Can 5 l", 29.50, 0.9),
            ("Raised Bed Kit", 119.00, 12.4),
            ("Herb Seed Collection", 14.90, 0.1),
            ("Garden Hose 20 m", 54.90, 3.0),
        ],
    ),
    "Audio": (
        "Electronics",
        (7, 8),
        [
            ("Wireless Headphones", 179.00, 0.3),
            ("Bluetooth Speaker", 89.00, 0.8),
            ("In-Ear Monitors", 69.00, 0.1),
            ("Vinyl Turntable", 249.00, 5.6),
            ("USB Microphone", 119.00, 0.6),
            ("Soundbar Compact", 199.00, 2.8),
        ],
    ),
    "Chargers & Cables": (
        "Electronics",
        (8,),
        [
            ("USB-C Charger 65 W", 39.90, 0.2),
            ("USB-C Cable 2 m", 12.90, 0.1),
            ("Power Bank 20000", 49.90, 0.4),
            ("Wireless Charging Pad", 34.90, 0.2),
            ("Travel Adapter", 24.90, 0.2),
        ],
    ),
    "Smart Home": (
        "Electronics",
        (4, 7),
        [
            ("Smart Plug 2-Pack", 29.90, 0.2),
            ("Smart Thermostat", 159.00, 0.4),
            ("Door Sensor", 24.90, 0.1),
            ("Indoor Camera", 79.90, 0.3),
            ("Smart Bulb Starter Kit", 89.00, 0.7),
            ("Air Quality Monitor", 129.00, 0.3),
        ],
    ),
    "Notebooks": (
        "Stationery",
        (9,),
        [
            ("Dotted Notebook A5", 17.90, 0.3),
            ("Weekly Planner 2026", 24.90, 0.4),
            ("Sketchbook A4", 22.50, 0.6),
            ("Pocket Notebook 3-Pack", 12.50, 0.2),
        ],
    ),
    "Pens": (
        "Stationery",
        (9, 7),
        [
            ("Fountain Pen", 49.00, 0.1),
            ("Gel Pen Set of 8", 14.90, 0.1),
            ("Brush Pen Set", 27.90, 0.2),
            ("Mechanical Pencil", 16.90, 0.1),
        ],
    ),
}
WAREHOUSES = ["Leipzig", "Rotterdam", "Vienna"]
REVIEW_TITLES = {
    5: ["Exactly what I wanted", "Love it", "Would buy again", "Great quality", "Perfect gift"],
    4: ["Very good", "Solid, small flaws", "Happy with it", "Good value"],
    3: ["It is okay", "Average", "Fine for the price"],
    2: ["Not convinced", "Expected more", "Feels cheap"],
    1: ["Broke after a week", "Very disappointed", "Arrived damaged"],
}
RETURN_REASONS = [
    ("damaged", 26),
    ("wrong item", 14),
    ("too late", 12),
    ("not as described", 20),
    ("changed mind", 28),
]
COUPONS = ["WELCOME10", "SPRING25", "SUMMER15", "FREESHIP"]


class Dice:
    """Chance drawn from one stable stream."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def chance(self, share: float) -> bool:
        """Return True in ``share`` of the calls."""
        return self._random() < share

    def between(self, low: int, high: int) -> int:
        """Return a whole number from ``low`` to ``high``, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, each as likely."""
        return options[self.between(0, len(options) - 1)]

    def weighted(self, options: Sequence[tuple[T, int]]) -> T:
        """Return one of the options, as likely as its weight says."""
        point = self._random() * sum(weight for _, weight in options)
        for option, weight in options:
            point -= weight
            if point < 0:
                return option
        return options[-1][0]

    def day(self, first: date, last: date) -> date:
        """Return a day from ``first`` to ``last``, both included."""
        return first + timedelta(days=self.between(0, (last - first).days))


Rows = dict[str, list[tuple[Any, ...]]]


def build(path: str | Path) -> Path:
    """Write the shop to ``path``, replacing what is there, and return the path."""
    rows = make_rows(SEED)
    target = Path(path)
    target.unlink(missing_ok=True)
    connection = sqlite3.connect(target)
    try:
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        for table, content in rows.items():
            marks = ", ".join("?" * len(content[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", content)
        connection.commit()
    finally:
        connection.close()
    return target


def make_rows(seed: int) -> Rows:
    """Return the rows of every table, parents before children."""
    dice = Dice(seed)
    rows: Rows = {}
    _people(dice, rows)
    _catalogue(dice, rows)
    _orders(dice, rows)
    _reviews(dice, rows)
    return rows


def _people(dice: Dice, rows: Rows) -> None:
    customers, addresses = [], []
    seen: set[tuple[str, str]] = set()
    places = [((city, country, postal), share) for city, country, postal, share in CITIES]
    for number in range(1, CUSTOMERS + 1):
        name = (dice.pick(FIRST_NAMES), dice.pick(LAST_NAMES))
        while name in seen:
            name = (dice.pick(FIRST_NAMES), dice.pick(LAST_NAMES))
        seen.add(name)
        segment = "business" if dice.chance(0.18) else "consumer"
        email = f"{name[0]}.{name[1]}@example.{dice.pick(['com', 'org', 'net'])}".lower()
        phone = f"+00 555 01{dice.between(0, 99):02d} {number:03d}" if dice.chance(0.7) else None
        born = None if dice.chance(0.2) else dice.day(date(1950, 1, 1), date(2006, 12, 31)).isoformat()
        registered = dice.day(date(2024, 6, 1), date(2026, 8, 31)).isoformat()
        customers.append((number, *name, email, phone, born, segment, int(dice.chance(0.45)), registered))
        home = dice.weighted(places)
        kinds = ["billing", "shipping"] if dice.chance(0.35) else ["shipping"]
        for kind in kinds:
            city, country, postal = home if dice.chance(0.8) else dice.weighted(places)
            street = f"{dice.pick(STREETS)} {dice.between(1, 140)}"
            code = f"{postal}{dice.between(10, 99)}"
            addresses.append((len(addresses) + 1, number, kind, street, code, city, country))
    rows["customers"], rows["addresses"] = customers, addresses


def _catalogue(dice: Dice, rows: Rows) -> None:
    parents = list(dict.fromkeys(parent for parent, _, _ in CATALOGUE.values()))
    categories: list[tuple[Any, ...]] = [(number, name, None) for number, name in enumerate(parents, 1)]
    products, stock = [], []
    for name, (parent, suppliers, goods) in CATALOGUE.items():
        category = len(categories) + 1
        categories.append((category, name, parents.index(parent) + 1))
        for title, price, weight in goods:
            number = len(products) + 1
            sku = f"{name[:2].upper()}-{1000 + number}"
            cost = round(price * dice.between(38, 66) / 100, 2)
            launched = dice.day(date(2023, 3, 1), date(2026, 5, 31)).isoformat()
            active = int(not dice.chance(0.1))
            supplier = dice.pick(suppliers)
            products.append((number, sku, title, category, supplier, price, cost, weight, active, launched))
            stock += [
                (number, place, 0 if dice.chance(0.12) else dice.between(1, 140), dice.pick([5, 10, 20, 30]))
                for place in WAREHOUSES
                if dice.chance(0.7)
            ]
    rows["categories"] = categories
    rows["suppliers"] = [(number, *supplier) for number, supplier in enumerate(SUPPLIERS, 1)]
    rows["products"], rows["stock"] = products, stock


def _orders(dice: Dice, rows: Rows) -> None:
    for table in ("orders", "order_items", "payments", "returns"):
        rows[table] = []
    shipping = {row[1]: row[0] for row in rows["addresses"] if row[2] == "shipping"}
    buyers = [row for row in rows["customers"] if not dice.chance(0.08)]
    regulars = buyers[: len(buyers) // 4]
    days = sorted(dice.day(FIRST_DAY, LAST_DAY) for _ in range(ORDERS))
    for number, day in enumerate(days, 1):
        buyer = dice.pick(regulars) if dice.chance(0.45) else dice.pick(buyers)
        registered = date.fromisoformat(buyer[8])
        if registered > day:
            buyer = dice.pick([row for row in buyers if date.fromisoformat(row[8]) <= day])
        moment = datetime(day.year, day.month, day.day, dice.between(6, 22), dice.between(0, 59), tzinfo=UTC)
        _order(dice, rows, number, buyer[0], shipping[buyer[0]], moment)


def _order(dice: Dice, rows: Rows, number: int, customer: int, address: int, moment: datetime) -> None:
    coupon = dice.pick(COUPONS) if dice.chance(0.22) else None
    lines = _lines(dice, rows, number, moment, coupon)
    goods = fsum(quantity * price * (1 - discount) for _, _, _, quantity, price, discount in lines)
    fee = 0.0 if goods >= 80 or coupon == "FREESHIP" else 4.9
    status = "cancelled" if dice.chance(0.07) else "delivered"
    shipped = moment + timedelta(hours=dice.between(8, 96))
    delivered = shipped + timedelta(hours=dice.between(20, 170))
    end = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, 23, 59, tzinfo=UTC)
    if status == "delivered" and delivered > end:
        status = "shipped" if shipped <= end else "placed"
    if status == "delivered" and dice.chance(0.09):
        status = "returned"
        _return(dice, rows, number, lines, delivered)
    channel = dice.weighted([("web", 60), ("app", 32), ("phone", 8)])
    rows["orders"].append(
        (
            number,
            customer,
            address,
            status,
            channel,
            _text(moment),
            _text(shipped) if status in ("shipped", "delivered", "returned") else None,
            _text(delivered) if status in ("delivered", "returned") else None,
            fee,
            coupon,
        )
    )
    _payments(dice, rows, number, round(goods + fee, 2), status, moment)


def _lines(
    dice: Dice, rows: Rows, number: int, moment: datetime, coupon: str | None
) -> list[tuple[int, int, int, int, float, float]]:
    on_sale = [row for row in rows["products"] if row[9] <= moment.date().isoformat()]
    lines: list[tuple[int, int, int, int, float, float]] = []
    chosen: set[int] = set()
    for _ in range(dice.weighted([(1, 34), (2, 30), (3, 20), (4, 11), (5, 5)])):
        product = dice.pick(on_sale)
        if product[0] in chosen:
            continue
        chosen.add(product[0])
        discount = {"WELCOME10": 0.1, "SPRING25": 0.25, "SUMMER15": 0.15}.get(coupon or "", 0.0)
        if not discount and dice.chance(0.1):
            discount = 0.05
        quantity = dice.weighted([(1, 68), (2, 20), (3, 8), (6, 4)])
        lines.append((number, len(lines) + 1, product[0], quantity, product[5], discount))
    rows["order_items"] += lines
    return lines


def _payments(dice: Dice, rows: Rows, order: int, amount: float, status: str, moment: datetime) -> None:
    payments = rows["payments"]
    method = dice.weighted([("card", 46), ("paypal", 34), ("invoice", 15), ("gift_card", 5)])
    if dice.chance(0.05):
        payments.append((len(payments) + 1, order, method, amount, "failed", _text(moment)))
        moment += timedelta(minutes=dice.between(1, 30))
    state = "pending" if method == "invoice" and moment.date() > date(2026, 8, 25) else "paid"
    state = {"returned": "refunded", "cancelled": "refunded"}.get(status, state)
    payments.append((len(payments) + 1, order, method, amount, state, _text(moment)))


def _return(
    dice: Dice, rows: Rows, order: int, lines: Sequence[tuple[Any, ...]], delivered: datetime
) -> None:
    returns = rows["returns"]
    for _, line, product, quantity, price, discount in lines:
        if line > 1 and not dice.chance(0.35):
            continue
        asked = min(delivered.date() + timedelta(days=dice.between(0, 13)), LAST_DAY)
        refund = round(quantity * price * (1 - discount), 2)
        reason = dice.weighted(RETURN_REASONS)
        returns.append((len(returns) + 1, order, product, quantity, reason, asked.isoformat(), refund))


def _reviews(dice: Dice, rows: Rows) -> None:
    delivered = {row[0]: (row[1], row[7]) for row in rows["orders"] if row[7]}
    reviews: list[tuple[Any, ...]] = []
    taste = {row[0]: dice.between(-1, 1) for row in rows["products"]}
    for order, _, product, *_ in rows["order_items"]:
        if order not in delivered or not dice.chance(0.27):
            continue
        customer, moment = delivered[order]
        day = min(date.fromisoformat(moment[:10]) + timedelta(days=dice.between(1, 30)), LAST_DAY)
        stars = dice.weighted([(5, 40), (4, 30), (3, 14), (2, 9), (1, 7)]) + taste[product]
        stars = max(1, min(5, stars))
        title = dice.pick(REVIEW_TITLES[stars])
        reviews.append((len(reviews) + 1, product, customer, stars, title, day.isoformat()))
    rows["reviews"] = reviews


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def main() -> None:
    """Build the file named on the command line."""
    parser = argparse.ArgumentParser(description="Build the sample web shop as a SQLite file.")
    parser.add_argument("output", type=Path, help="file to write; replaced if it exists")
    print(build(parser.parse_args().output))


if __name__ == "__main__":
    main()
