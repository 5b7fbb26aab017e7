"""The products that a new shop starts with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """One product: its price in cents and the number of pieces on the shelf."""

    sku: str
    name: str
    price: int
    stock: int


STARTING_RANGE = (
    Product("COF-ESP-250", "Espresso beans, 250 g", 899, 50_000),
    Product("COF-FLT-500", "Filter coffee, 500 g", 1249, 50_000),
    Product("TEA-EGR-100", "Earl Grey, 100 g", 645, 50_000),
    Product("TEA-SEN-080", "Sencha, 80 g", 1190, 20_000),
    Product("CUP-BLU-001", "Blue cup, made by hand", 2450, 12),
)
