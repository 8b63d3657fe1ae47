-- The sample web shop. Money is in euros; dates and times are ISO 8601 text in UTC; countries are ISO 3166 codes.

CREATE TABLE customers (
    customer_id INTEGER PRIMARY KEY,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    phone TEXT,
    birth_date TEXT,
    segment TEXT NOT NULL CHECK (segment IN ('consumer', 'business')),
    newsletter INTEGER NOT NULL DEFAULT 0 CHECK (newsletter IN (0, 1)),
    registered_on TEXT NOT NULL
);

CREATE TABLE addresses (
    address_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    kind TEXT NOT NULL CHECK (kind IN ('billing', 'shipping')),
    street TEXT NOT NULL,
    postal_code TEXT NOT NULL,
    city TEXT NOT NULL,
    country TEXT NOT NULL
);

CREATE TABLE categories (
    category_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    parent_id INTEGER REFERENCES categories (category_id)
);

CREATE TABLE suppliers (
    supplier_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    country TEXT NOT NULL,
    lead_time_days INTEGER NOT NULL
);

CREATE TABLE products (
    product_id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    category_id INTEGER NOT NULL REFERENCES categories (category_id),
    supplier_id INTEGER NOT NULL REFERENCES suppliers (supplier_id),
    price REAL NOT NULL,
    cost REAL NOT NULL,
    weight_kg REAL NOT NULL,
    active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    launched_on TEXT NOT NULL
);

CREATE TABLE stock (
    product_id INTEGER NOT NULL REFERENCES products (product_id),
    warehouse TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    reorder_level INTEGER NOT NULL,
    PRIMARY KEY (product_id, warehouse)
);

CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    shipping_address_id INTEGER NOT NULL REFERENCES addresses (address_id),
    status TEXT NOT NULL CHECK (status IN ('placed', 'shipped', 'delivered', 'returned', 'cancelled')),
    channel TEXT NOT NULL CHECK (channel IN ('web', 'app', 'phone')),
    ordered_at TEXT NOT NULL,
    shipped_at TEXT,
    delivered_at TEXT,
    shipping_fee REAL NOT NULL,
    coupon_code TEXT
);

CREATE TABLE order_items (
    order_id INTEGER NOT NULL REFERENCES orders (order_id),
    line_no INTEGER NOT NULL,
    product_id INTEGER NOT NULL REFERENCES products (product_id),
    quantity INTEGER NOT NULL,
    unit_price REAL NOT NULL,
    discount REAL NOT NULL DEFAULT 0, -- share of the line, 0.1 is 10 %
    PRIMARY KEY (order_id, line_no)
);

CREATE TABLE payments (
    payment_id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (order_id),
    method TEXT NOT NULL CHECK (method IN ('card', 'paypal', 'invoice', 'gift_card')),
    amount REAL NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('paid', 'pending', 'failed', 'refunded')),
    created_at TEXT NOT NULL
);

CREATE TABLE reviews (
    review_id INTEGER PRIMARY KEY,
    product_id INTEGER NOT NULL REFERENCES products (product_id),
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    title TEXT NOT NULL,
    reviewed_on TEXT NOT NULL
);

CREATE TABLE returns (
    return_id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders (order_id),
    product_id INTEGER NOT NULL REFERENCES products (product_id),
    quantity INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('damaged', 'wrong item', 'too late', 'not as described', 'changed mind')),
    requested_on TEXT NOT NULL,
    refund REAL NOT NULL
);

CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX order_items_product ON order_items (product_id);
CREATE INDEX payments_order ON payments (order_id);
CREATE INDEX reviews_product ON reviews (product_id);
