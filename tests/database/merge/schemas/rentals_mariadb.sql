-- The same kind of shop on MySQL or MariaDB, with all of their types.
CREATE TABLE actor (actor_id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, first_name VARCHAR(45) NOT NULL,
    last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP);
CREATE TABLE film (film_id SMALLINT UNSIGNED PRIMARY KEY, title VARCHAR(255) NOT NULL, description TEXT, release_year YEAR,
    rental_duration TINYINT UNSIGNED NOT NULL, rate DECIMAL(4,2), rating ENUM('G','PG-13','no'),
    special_features SET('Trailers','Deleted Scenes','x'), title_length INT AS (char_length(title)) VIRTUAL,
    twice INT AS (film_id * 2) STORED, FULLTEXT KEY (title, description));
CREATE TABLE staff (staff_id TINYINT UNSIGNED PRIMARY KEY, picture MEDIUMBLOB, active BOOLEAN NOT NULL, worked TIME(3));
CREATE TABLE address (address_id INT PRIMARY KEY, location GEOMETRY NOT NULL, area POLYGON, SPATIAL KEY (location));
CREATE TABLE all_types (
    id BIGINT UNSIGNED PRIMARY KEY, a TINYINT, b SMALLINT, c MEDIUMINT UNSIGNED, d INT UNSIGNED, e BIGINT, f DECIMAL(65,30),
    g FLOAT, h DOUBLE, i BIT(1), j BIT(64), k CHAR(3), l VARCHAR(9), m TINYTEXT, n MEDIUMTEXT, o LONGTEXT, p BINARY(4),
    q VARBINARY(9), r TINYBLOB, s BLOB, t LONGBLOB, u DATE, v TIME, w DATETIME(6), x TIMESTAMP(3) NULL, y YEAR, z JSON,
    aa DOUBLE UNSIGNED, ab INT(5) ZEROFILL, ac CHAR(9) CHARACTER SET latin1, ad INET6, ae UUID, af NATIONAL VARCHAR(5));
CREATE TABLE `Order Details` (`order` INT, `100%` TEXT, `a"b` TEXT, `a``b` TEXT, `%s` INT, `:n` TEXT, `Größe` TEXT, `select` TEXT,
    `no` TEXT, `1e3` TEXT, `it's` TEXT, PRIMARY KEY (`order`, `%s`));
CREATE TABLE UPPER (ID INT PRIMARY KEY) PARTITION BY HASH (ID) PARTITIONS 3;
CREATE TABLE upper_2 (name VARCHAR(20) COLLATE utf8mb4_unicode_ci PRIMARY KEY);
CREATE TABLE prefixed (name TEXT, note TEXT, PRIMARY KEY (name(10)));
CREATE TABLE both_unique (code VARCHAR(9) NOT NULL UNIQUE, a INT NOT NULL, b INT NOT NULL, UNIQUE (a, b));
CREATE TABLE a_name_of_64_characters_which_mysql_takes_gladly_but_not_postg_1 (id INT PRIMARY KEY);
CREATE TABLE a_name_of_64_characters_which_mysql_takes_gladly_but_not_postg_2 (id INT PRIMARY KEY, ñññññññññññññññññññññññññññññññññ INT);
CREATE TABLE hidden (id INT PRIMARY KEY, secret INT INVISIBLE);
CREATE TABLE k_nullable (id INT UNIQUE);
CREATE TABLE k_none (a INT);
CREATE TABLE k_myisam (id INT PRIMARY KEY) ENGINE=MyISAM;
CREATE TABLE k_memory (id INT PRIMARY KEY) ENGINE=MEMORY;
CREATE TABLE versioned (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING;
CREATE TABLE `it``s %s {x}` (id INT PRIMARY KEY);
CREATE SEQUENCE k_numbers;
CREATE VIEW film_list AS SELECT film_id AS fid, title FROM film;
INSERT INTO actor VALUES (65535, 'PENELOPE', '2006-02-15 04:34:33');
INSERT INTO film (film_id, title, description, release_year, rental_duration, rate, rating, special_features) VALUES
    (1, 'ACADEMY "DINOSAUR"', 'tab\tand\\N', 2006, 255, 0.99, 'PG-13', 'Trailers,x'), (2, '', NULL, NULL, 0, NULL, 'no', '');
INSERT INTO staff VALUES (255, x'00ff5c', 1, '-838:59:59.000'), (1, NULL, 0, '838:59:58.999');
INSERT INTO address VALUES (1, ST_GeomFromText('POINT(1.5 -2)'), NULL), (2, ST_GeomFromText('LINESTRING(0 0,1 1)', 4326),
    ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))'));
INSERT INTO all_types VALUES (
    18446744073709551615, -128, -32768, 16777215, 4294967295, -9223372036854775808, 12345678901234567890123456789012345.123456789012345678901234567890,
    1234567, 0.1, b'1', 0x8000000000000001, 'ab', 'ü😀', 'a', 'b', 'c', 'ab', x'00', x'ff', x'', x'00ff', '1000-01-01', '100:00:00',
    '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999', 2155, '{"a": 1.00}', 1e308, 42, 'é', '::1', '6f9619ff-8b86-d011-b42d-00c04fc964ff', 'n');
INSERT INTO all_types (id) VALUES (0);
INSERT INTO `Order Details` VALUES (1, '%s', '"', '`', 2, ':n', 'groß', 'x', 'no', '1e3', '''');
INSERT INTO versioned VALUES (1, 2), (2, 3);
UPDATE versioned SET a = 4 WHERE id = 1;
DELETE FROM versioned WHERE id = 2;
INSERT INTO `it``s %s {x}` VALUES (1);
INSERT INTO UPPER VALUES (1), (2);
INSERT INTO upper_2 VALUES ('a'), ('B '), ('ß');
INSERT INTO prefixed VALUES ('abcdefghijklmn', 'x');
INSERT INTO both_unique VALUES ('x', 1, 2);
INSERT INTO a_name_of_64_characters_which_mysql_takes_gladly_but_not_postg_1 VALUES (1);
INSERT INTO a_name_of_64_characters_which_mysql_takes_gladly_but_not_postg_2 VALUES (2, 3);
INSERT INTO hidden (id, secret) VALUES (1, 2)
