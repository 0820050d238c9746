-- A shop that lends films, with all that PostgreSQL has: partitions, inheritance, domains, enums, composites, arrays.
CREATE TYPE rating AS ENUM ('G', 'PG-13', 'no');
CREATE TYPE dimensions AS (width numeric(4,1), height numeric(4,1), note text);
CREATE DOMAIN year AS integer CHECK (value BETWEEN 1901 AND 2155);
CREATE DOMAIN rated AS rating;
CREATE DOMAIN names AS varchar(20)[];
CREATE SEQUENCE film_ids;
CREATE TABLE language (language_id smallint PRIMARY KEY, name character(20) NOT NULL, last_update timestamptz DEFAULT now());
CREATE TABLE film (
    film_id integer PRIMARY KEY, title varchar(255) NOT NULL, release_year year, rated rated, was rating[], size dimensions,
    sizes dimensions[], rate numeric(4,2) DEFAULT 4.99, length smallint, features text[], fulltext tsvector, aka names,
    title_length integer GENERATED ALWAYS AS (char_length(title)) STORED, language_id smallint REFERENCES language);
CREATE TABLE film_map (film_id integer PRIMARY KEY, map bytea);
CREATE TABLE payment (payment_id bigint, amount numeric(5,2) NOT NULL, paid timestamp(3) NOT NULL, PRIMARY KEY (paid, payment_id))
    PARTITION BY RANGE (paid);
CREATE TABLE payment_2025 PARTITION OF payment FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (payment_id);
CREATE TABLE payment_2025_0 PARTITION OF payment_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE payment_2025_1 PARTITION OF payment_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE payment_rest PARTITION OF payment DEFAULT;
CREATE TABLE place (name text PRIMARY KEY, people integer);
CREATE TABLE capital (country text, PRIMARY KEY (name)) INHERITS (place);
CREATE TABLE all_types (
    id uuid PRIMARY KEY, a smallint, b integer, c bigint, d numeric, e numeric(30,10), f real, g double precision, h money,
    i boolean, j "char", k name, l char(5), m varchar, n text, o bytea, p bit(7), q bit varying(9), r date, s time(2),
    t timetz, u timestamp, v timestamptz(1), w interval, x interval day to second(3), y inet, z cidr, aa macaddr,
    ab macaddr8, ac json, ad jsonb, ae xml, af point, ag box, ah path, ai polygon, aj circle, ak line, al lseg,
    am int4range, an tstzmultirange, ao tsquery, ap oid, aq regclass, ar pg_lsn, "as" tid, at int2vector, au oidvector,
    av integer[][], aw timestamptz[], ax regtype[], ay jsonpath, az xid);
CREATE TABLE "Order Details" ("order" integer, "100%" text, "a""b" text, "%s" integer, "{c}" text, "Größe" text, "ab.c" text,
    "select" text, ":n" text, "back\slash" text, "it's" text, "-- c" text, "null" text, "no" text, "1e3" text, "07" text,
    "$1" text, PRIMARY KEY ("order", "%s"));
CREATE TABLE "UPPER,comma" ("ID" integer PRIMARY KEY);
CREATE TABLE "Größentabelle_mit_einem_sehr_langen_Namen_63_Bytes_äöü___1" (
    "eine_Spalte_mit_einem_sehr_langen_Namen_63_Bytes_äöüß_____1" integer PRIMARY KEY,
    "eine_Spalte_mit_einem_sehr_langen_Namen_63_Bytes_äöüß_____2" integer);
CREATE TABLE "Größentabelle_mit_einem_sehr_langen_Namen_63_Bytes_äöü___2" (id integer PRIMARY KEY);
CREATE TABLE "quote""d %s {x}" (id integer PRIMARY KEY, ds_batch_in integer, "new
line" integer);
CREATE TABLE "user" (id integer, name text NOT NULL);
CREATE UNIQUE INDEX ON "user" (id) INCLUDE (name);
CREATE UNIQUE INDEX ON "user" (name) INCLUDE (id);
CREATE TABLE swapped (id integer NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED, at integer);
CREATE TABLE both_unique (code text NOT NULL, a int NOT NULL, b int NOT NULL, UNIQUE (a, b), UNIQUE (code));
-- What names no row.
CREATE TABLE k_nullable (id integer UNIQUE);
CREATE TABLE k_partial (id integer NOT NULL, gone boolean);
CREATE UNIQUE INDEX only_here ON k_partial (id) WHERE NOT gone;
CREATE TABLE k_expression (name text NOT NULL);
CREATE UNIQUE INDEX lowered ON k_expression (lower(name));
CREATE TABLE k_excluded (during tsrange NOT NULL, EXCLUDE USING gist (during WITH &&));
CREATE TABLE k_reserved (ctid_ integer, ds_valid_to integer PRIMARY KEY);
CREATE VIEW film_list AS SELECT film_id AS fid, title, '-- "quoted": ''#''' AS note FROM film;
CREATE MATERIALIZED VIEW film_count AS SELECT count(*) AS films FROM film;
INSERT INTO language VALUES (1, 'English', '2026-01-02 03:04:05.678901+00'), (-2, 'Ελληνικά', NULL);
INSERT INTO film (film_id, title, release_year, rated, was, size, sizes, features, fulltext, aka, language_id) VALUES
    (1, 'ACADEMY "DINOSAUR"', 2006, 'PG-13', '{G,NULL,no}', '(1.5,2.0,"a, b")', '{"(1,2,x)",NULL}', '{Trailers,"a,b","NULL",NULL}',
    'cat:3 rat:1', '{a,NULL}', 1), (2, E'tab\t\\N\n', NULL, NULL, NULL, NULL, '{}', '[2:3]={x,y}', NULL, NULL, -2);
INSERT INTO film_map VALUES (1, '\x00ff5c');
INSERT INTO payment SELECT n, n / 3.0, timestamp '2025-06-01' + n * interval '40 days' FROM generate_series(1, 12) n;
INSERT INTO place VALUES ('Bonn', 330000);
INSERT INTO capital VALUES ('Bonn', 1, 'DE'), ('Rome', 2, NULL);
INSERT INTO all_types VALUES (
    '00000000-0000-0000-0000-00000000000a', -32768, 2147483647, -9223372036854775808, 'NaN', 12345678901234567890.0123456789,
    1.17549435e-38, 0.1::float8 + 0.2, '-12345.67', false, 'x', 'name', 'ab', '', E'\u00a0ü\U0001F600', '\x', '1010101', '101', '0044-03-15 BC',
    '23:59:60', '12:00:00+05:30', 'infinity', '-infinity', '1 mon -3 days 04:05:06.789', '1 02:03:04.5678', '::ffff:1.2.3.4/128', '10.0.0.0/8',
    '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '{"a": 1.0, "a": 2}', '{"a": 1.00}', NULL, '(1.1,-0)', '((0,0),(1,1))',
    '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),2>', '{1,2,3}', '[(0,0),(1,1)]', '[1,5)', '{[2026-01-01,)}', 'cat & !rat', 4294967295,
    'language', '16/B374D848', '(0,1)', '1 2', '3 4', '{{1,2},{3,NULL}}', '{"2026-01-01 00:00:00+02"}', '{integer,text}', '$.a[*]', '7');
INSERT INTO all_types (id) VALUES ('00000000-0000-0000-0000-00000000000b');
INSERT INTO "Order Details" VALUES (1, '%s', '"', 2, '{}', 'groß', '.', 'x', ':n', '\', '''', '--', 'null', 'no', '1e3', '07', '$1');
INSERT INTO "UPPER,comma" VALUES (1);
INSERT INTO "Größentabelle_mit_einem_sehr_langen_Namen_63_Bytes_äöü___1" VALUES (1, 2);
INSERT INTO "Größentabelle_mit_einem_sehr_langen_Namen_63_Bytes_äöü___2" VALUES (3);
INSERT INTO "quote""d %s {x}" VALUES (1, 2, 3);
INSERT INTO "user" VALUES (1, 'a'), (NULL, 'b');
INSERT INTO swapped VALUES (1, 2);
INSERT INTO both_unique VALUES ('x', 1, 2);
