-- The same kind of shop in a file, with all that SQLite allows.
CREATE TABLE artist (ArtistId INTEGER PRIMARY KEY, Name NVARCHAR(120));
CREATE TABLE album (AlbumId INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, Title NVARCHAR(160) NOT NULL, ArtistId INT64);
CREATE TABLE "Order Details" (OrderID INTEGER, ProductID INTEGER, UnitPrice NUMERIC DEFAULT 0, Discount REAL,
    PRIMARY KEY (OrderID, ProductID)) WITHOUT ROWID;
CREATE TABLE customers ("CustomerID" TEXT PRIMARY KEY, "100%" TEXT, "a""b" BLOB, "no" BOOLEAN, "select" INTEGER, "1e3" DECIMAL(10,2),
    "é" UUID, born DATE, seen DATETIME, at TIME);
CREATE TABLE untyped (id INTEGER PRIMARY KEY, anything, other BLOB SUB_TYPE TEXT, odd WHATEVER(3));
CREATE TABLE exact (id INT NOT NULL PRIMARY KEY, n INTEGER, a ANY) STRICT;
CREATE TABLE made (id INTEGER PRIMARY KEY, a INTEGER, twice INTEGER AS (a * 2), thrice INTEGER GENERATED ALWAYS AS (a * 3) STORED);
CREATE TABLE coded (code TEXT NOT NULL COLLATE NOCASE UNIQUE, what TEXT);
CREATE TABLE descending (id INTEGER PRIMARY KEY DESC, a TEXT);
CREATE TABLE "it's %s {x}" (id INTEGER PRIMARY KEY);
CREATE TABLE a_name_of_more_than_sixty_three_characters_that_sqlite_takes_gladly_1 (id INTEGER PRIMARY KEY);
CREATE TABLE a_name_of_more_than_sixty_three_characters_that_sqlite_takes_gladly_2 (id INTEGER PRIMARY KEY, x INTEGER,
    a_column_of_more_than_sixty_three_characters_that_sqlite_takes_gladly INTEGER);
CREATE TABLE k_nullable (id TEXT UNIQUE);
CREATE TABLE k_partial (id TEXT NOT NULL, gone INT);
CREATE UNIQUE INDEX only_here ON k_partial (id) WHERE gone = 0;
CREATE TABLE k_expression (name TEXT NOT NULL);
CREATE UNIQUE INDEX lowered ON k_expression (lower(name));
CREATE TABLE k_none (a INTEGER);
CREATE VIEW artists AS SELECT * FROM artist;
CREATE VIRTUAL TABLE pages USING fts5(title, body);
INSERT INTO artist VALUES (1, 'AC/DC'), (9223372036854775807, 'Zoë \ 山'), (-5, NULL);
INSERT INTO album VALUES (1, 'x', 5000000000);
INSERT INTO "Order Details" VALUES (1, 2, 14.25, 0.15000000596046448), (1, 3, 12345678901, 0);
INSERT INTO customers VALUES ('ALFKI', '%', x'00ff5c', 1, -1, 3.10, '6f9619ff-8b86-d011-b42d-00c04fc964ff', '1980-02-29',
    '2026-01-02 03:04:05.678', '23:59:59'), ('a', NULL, x'', 0, 9007199254740993, 12, 'none', NULL, NULL, NULL);
INSERT INTO untyped VALUES (1, 5, 'text', 'x'), (2, 'five', NULL, 'long'), (3, 2.5, 'a' || char(10), NULL);
INSERT INTO exact VALUES (1, 2, 'x');
INSERT INTO made VALUES (1, 7);
INSERT INTO coded VALUES ('A', NULL), ('b', 'x');
INSERT INTO descending VALUES (1, 'a');
INSERT INTO "it's %s {x}" VALUES (1);
INSERT INTO a_name_of_more_than_sixty_three_characters_that_sqlite_takes_gladly_1 VALUES (1);
INSERT INTO a_name_of_more_than_sixty_three_characters_that_sqlite_takes_gladly_2 VALUES (2, 3, 4);
INSERT INTO pages VALUES ('a', 'b')
