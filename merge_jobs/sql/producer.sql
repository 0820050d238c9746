-- The producer that the simulator plays: customers and their addresses, with the column names of the MVP.

-- name: one_at_a_time
-- Two simulators that start together must not both seed.
SELECT pg_advisory_xact_lock(hashtext('stream factory producer'))

-- name: missing_tables
SELECT to_regclass('customers') IS NULL OR to_regclass('addresses') IS NULL

-- name: create_tables
CREATE TABLE IF NOT EXISTS customers (
    id varchar(20) PRIMARY KEY,
    "firstName" varchar(100) NOT NULL,
    "lastName" varchar(100) NOT NULL,
    dob date NOT NULL,
    email varchar(100),
    phone varchar(100),
    "primaryAddressId" varchar(20),
    "billingAddressId" varchar(20)
);
CREATE TABLE IF NOT EXISTS addresses (
    id varchar(20) PRIMARY KEY,
    "customerId" varchar(20) NOT NULL REFERENCES customers (id),
    "streetName" varchar(100) NOT NULL,
    city varchar(100) NOT NULL,
    state varchar(100) NOT NULL,
    "zipCode" varchar(30) NOT NULL
);
CREATE INDEX IF NOT EXISTS "addresses_customerId" ON addresses ("customerId");
CREATE INDEX IF NOT EXISTS "customers_primaryAddressId" ON customers ("primaryAddressId");
CREATE INDEX IF NOT EXISTS "customers_billingAddressId" ON customers ("billingAddressId");

-- name: missing_address_keys
SELECT count(*) = 0 FROM pg_constraint
WHERE conrelid = 'customers'::regclass AND confrelid = 'addresses'::regclass AND contype = 'f'

-- name: add_address_keys
-- The two tables point at each other, so these keys can only come once both are there.
ALTER TABLE customers
    ADD CONSTRAINT "customers_primaryAddressId_fkey" FOREIGN KEY ("primaryAddressId") REFERENCES addresses (id),
    ADD CONSTRAINT "customers_billingAddressId_fkey" FOREIGN KEY ("billingAddressId") REFERENCES addresses (id)

-- name: empty_tables
SELECT NOT EXISTS (SELECT FROM customers) AND NOT EXISTS (SELECT FROM addresses)

-- name: seed
INSERT INTO customers (id, "firstName", "lastName", dob, email, phone) VALUES
    ('CUST001', 'Ada', 'Lindqvist', '1985-03-15', 'ada.lindqvist@example.com', '555-0101'),
    ('CUST002', 'Bruno', 'Okafor', '1990-07-22', 'bruno.okafor@example.com', '555-0102'),
    ('CUST003', 'Chiara', 'O''Neill', '1978-11-08', 'chiara.oneill@example.com', '555-0103'),
    ('CUST004', 'Dmitri', 'Haddad', '1995-01-30', 'dmitri.haddad@example.com', NULL),
    ('CUST005', 'Élodie', 'Nakamura', '1982-09-14', 'elodie.nakamura@example.com', '555-0105');
INSERT INTO addresses (id, "customerId", "streetName", city, state, "zipCode") VALUES
    ('ADDR001', 'CUST001', '12 Harbour Street', 'Portland', 'ME', '04101'),
    ('ADDR002', 'CUST001', '4 Mill Lane', 'Bangor', 'ME', '04401'),
    ('ADDR003', 'CUST002', '88 Cedar Avenue', 'Austin', 'TX', '78701'),
    ('ADDR004', 'CUST003', '7 Station Road', 'Denver', 'CO', '80202'),
    ('ADDR005', 'CUST003', '310 Lake Drive', 'Boulder', 'CO', '80301'),
    ('ADDR006', 'CUST004', '21 Orchard Way', 'Eugene', 'OR', '97401'),
    ('ADDR007', 'CUST005', '5 Chapel Hill', 'Madison', 'WI', '53703'),
    ('ADDR008', 'CUST005', '1600 River Walk', 'Milwaukee', 'WI', '53202');
UPDATE customers SET "primaryAddressId" = a.first, "billingAddressId" = a.last
FROM (SELECT "customerId", min(id) AS first, max(id) AS last FROM addresses GROUP BY "customerId") a
WHERE a."customerId" = customers.id

-- name: begin_change
-- The transaction's id tells after a lost connection whether its COMMIT arrived. No lock is waited for long,
-- because a driver that waits in the database hears no Ctrl+C.
SELECT set_config('lock_timeout', '2s', true), txid_current()

-- name: transaction_status
SELECT txid_status(%(transaction)s)

-- name: last_numbers
-- The highest numbers in ids like CUST001 and ADDR001.
SELECT
    (SELECT coalesce(max(substring(id FROM '^CUST([0-9]+)$')::numeric), 0) FROM customers),
    (SELECT coalesce(max(substring(id FROM '^ADDR([0-9]+)$')::numeric), 0) FROM addresses)

-- name: customer_at
-- The customer at a position from 0 to 1 in the order of ids, locked against other simulators. The inner query
-- is there because OFFSET would lock the rows that it skips as well.
SELECT id, "firstName", "lastName", email, phone, "primaryAddressId", "billingAddressId"
FROM customers
WHERE id = (
    SELECT id FROM customers ORDER BY id
    OFFSET (SELECT floor(count(*) * %(position)s)::bigint FROM customers) LIMIT 1
)
FOR NO KEY UPDATE

-- name: addresses_of
SELECT id, "customerId", "streetName", city, state, "zipCode"
FROM addresses WHERE "customerId" = %(customer)s ORDER BY id

-- name: insert_row
INSERT INTO {table} ({columns}) VALUES ({values})

-- name: update_row
UPDATE {table} SET {assignments} WHERE id = %(id)s

-- name: delete_row
DELETE FROM {table} WHERE id = %(id)s
