"""A sample shop: an ordinary FastAPI application that signs people in with JWTs and is watched by jwtrail.

It has one classic hole on purpose: `GET /invoices/{invoice_id}` checks the scope but not whose invoice it is (OWASP
API1:2023), so that an object walk succeeds until the walker's token dies.
"""

import hmac
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, Field

from jwtrail import config
from jwtrail.demo.shop_data import PRODUCTS, password_of
from jwtrail.fastapi import Claims, JWTrail, TokenPair

__all__ = ["app"]

app = FastAPI(title="Sample shop")
trail = JWTrail(app)
app.include_router(trail.router())

_database = config.load().settings.root / "shop.db"


class Login(BaseModel):
    """What the sign-in form sends."""

    username: str = Field(max_length=64)
    password: str = Field(max_length=128)


class NewOrder(BaseModel):
    """What somebody wants."""

    product: int
    amount: int = Field(ge=1, le=20)


@app.post("/login")
def login(form: Login) -> TokenPair:
    with _db() as db:
        person = db.execute("select id, roles from people where name = ?", (form.username,)).fetchone()
    if person is None:
        raise trail.login_failed(form.username, reason="user_unknown")
    if not hmac.compare_digest(password_of(form.username), form.password):
        raise trail.login_failed(form.username, reason="bad_credentials")
    scope = "orders:read orders:write" + (" admin" if person[1] else "")
    return trail.issue(
        person[0], name=form.username, scope=scope, roles=tuple(filter(None, [person[1]])), tenant="shop-kr"
    )


@app.get("/products")
def products(page: int = 1) -> list[dict[str, Any]]:
    return [
        {"id": number, "name": name} for number, name in list(PRODUCTS.items())[(page - 1) * 10 : page * 10]
    ]


@app.get("/products/{product_id}")
def product(product_id: int) -> dict[str, Any]:
    if product_id not in PRODUCTS:
        raise HTTPException(404, "no such product")
    return {"id": product_id, "name": PRODUCTS[product_id]}


@app.get("/me")
def me(who: Annotated[Claims, Depends(trail.require())]) -> dict[str, Any]:
    return {"id": who.sub, "scope": " ".join(who.scope)}


@app.get("/orders")
def orders(who: Annotated[Claims, Depends(trail.require("orders:read"))]) -> list[dict[str, Any]]:
    with _db() as db:
        rows = db.execute(
            "select id, product, amount from orders where owner = ? order by id desc limit 20", (who.sub,)
        )
        mine = [dict(zip(("id", "product", "amount"), row, strict=True)) for row in rows]
    trail.touch(jwtrail_records=len(mine), jwtrail_subject_ids=(who.sub,))
    return mine


@app.post("/orders", status_code=201)
def order(wanted: NewOrder, who: Annotated[Claims, Depends(trail.require("orders:write"))]) -> dict[str, Any]:
    if wanted.product not in PRODUCTS:
        raise HTTPException(422, "no such product")
    with _db() as db:
        made = db.execute(
            "insert into orders(owner, product, amount) values (?, ?, ?)",
            (who.sub, wanted.product, wanted.amount),
        )
    trail.touch(str(made.lastrowid), jwtrail_object_type="orders")
    return {"id": made.lastrowid}


@app.get("/orders/{order_id}")
def one_order(order_id: int, who: Annotated[Claims, Depends(trail.require("orders:read"))]) -> dict[str, Any]:
    with _db() as db:
        row = db.execute("select owner, product, amount from orders where id = ?", (order_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "no such order")
    if row[0] != who.sub:
        raise trail.denied("object_denied")
    return {"id": order_id, "product": row[1], "amount": row[2]}


@app.get("/invoices")
def invoices(who: Annotated[Claims, Depends(trail.require("orders:read"))]) -> list[int]:
    with _db() as db:
        return [row[0] for row in db.execute("select id from invoices where owner = ? limit 20", (who.sub,))]


@app.get("/invoices/{invoice_id}")
def invoice(invoice_id: int, who: Annotated[Claims, Depends(trail.require("orders:read"))]) -> dict[str, Any]:  # noqa: ARG001
    with _db() as db:
        row = db.execute("select owner, total from invoices where id = ?", (invoice_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "no such invoice")
    trail.touch(jwtrail_subject_ids=(row[0],))
    return {
        "id": invoice_id,
        "owner": row[0],
        "total": row[1],
    }  # the hole: nobody asked whether row[0] is who


@app.get("/admin/people")
def people(who: Annotated[Claims, Depends(trail.require("admin", roles=("admin",)))]) -> list[str]:
    with _db() as db:
        names = [row[0] for row in db.execute("select name from people")]
    trail.record("data-exported", jwtrail_records=len(names), jwtrail_ticket=f"daily list for {who.sub}")
    return names


@contextmanager
def _db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(_database, timeout=5)) as db, db:
        yield db
