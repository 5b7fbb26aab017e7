// Customers walk through the shop: look, fill a cart, order.
// k6 run -e BASE_URL=http://127.0.0.1:8123 load/checkout.js

import http from "k6/http";
import { check, sleep } from "k6";

const shop = __ENV.BASE_URL || "http://127.0.0.1:8123";
const json = { headers: { "Content-Type": "application/json" } };

export const options = {
  stages: [
    { duration: "2s", target: 10 },
    { duration: "4s", target: 10 },
    { duration: "1s", target: 0 },
  ],
  thresholds: {
    http_req_duration: ["p(95)<500"],
    http_req_failed: ["rate<0.01"],
    checks: ["rate>0.99"],
  },
};

export default function () {
  const listing = http.get(`${shop}/products`);
  check(listing, { "products are listed": (answer) => answer.status === 200 });
  think();

  const cart = http.post(`${shop}/carts`);
  check(cart, { "a cart is made": (answer) => answer.status === 201 });
  const address = `${shop}/carts/${cart.json("id")}`;
  for (const sku of ["COF-ESP-250", "TEA-EGR-100"]) {
    const quantity = 1 + Math.floor(Math.random() * 3);
    const line = http.put(`${address}/lines/${sku}`, JSON.stringify({ quantity }), {
      ...json,
      tags: { name: "put line" },
    });
    check(line, { "a line is put": (answer) => answer.status === 200 });
    think();
  }

  const order = http.post(`${address}/checkout`, JSON.stringify({ email: "ann@example.org" }), {
    ...json,
    tags: { name: "check out" },
  });
  check(order, { "the order is placed": (answer) => answer.status === 201 });
  think();
}

// Customers read before they click: 0.1 to 0.3 seconds.
function think() {
  sleep(0.1 + Math.random() * 0.2);
}
