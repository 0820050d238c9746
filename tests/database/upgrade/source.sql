CREATE TABLE public.customers (
    id integer NOT NULL,
    name character varying(40) NOT NULL,
    email text
);
CREATE TABLE public.events (
    id integer,
    word text
);
CREATE TABLE public.orders (
    id integer NOT NULL,
    customer_id integer NOT NULL,
    amount numeric(10,2)
);
CREATE TABLE public.products (
    code text NOT NULL,
    title text
);
CREATE TABLE public.sensors (
    id integer NOT NULL,
    seen timestamp with time zone
);
INSERT INTO public.customers VALUES
	(1, 'customer 1', 'c1@example.com'),
	(2, 'customer 2', 'c2@example.com'),
	(3, 'customer 3', 'c3@example.com'),
	(4, 'customer 4', 'c4@example.com'),
	(5, 'customer 5', 'c5@example.com'),
	(6, 'customer 6', 'c6@example.com'),
	(9, 'customer 9', 'c9@example.com'),
	(11, 'customer 11', 'c11@example.com'),
	(12, 'customer 12', 'c12@example.com'),
	(13, 'customer 13', 'c13@example.com'),
	(14, 'customer 14', 'c14@example.com'),
	(15, 'customer 15', 'c15@example.com'),
	(16, 'customer 16', 'c16@example.com'),
	(17, 'customer 17', 'c17@example.com'),
	(18, 'customer 18', 'c18@example.com'),
	(19, 'customer 19', 'c19@example.com'),
	(21, 'customer 21', 'c21@example.com'),
	(22, 'customer 22', 'c22@example.com'),
	(23, 'customer 23', 'c23@example.com'),
	(24, 'customer 24', 'c24@example.com');
INSERT INTO public.customers VALUES
	(25, 'customer 25', 'c25@example.com'),
	(26, 'customer 26', 'c26@example.com'),
	(27, 'customer 27', 'c27@example.com'),
	(28, 'customer 28', 'c28@example.com'),
	(29, 'customer 29', 'c29@example.com'),
	(31, 'customer 31', 'c31@example.com'),
	(32, 'customer 32', 'c32@example.com'),
	(33, 'customer 33', 'c33@example.com'),
	(34, 'customer 34', 'c34@example.com'),
	(35, 'customer 35', 'c35@example.com'),
	(36, 'customer 36', 'c36@example.com'),
	(37, 'customer 37', 'c37@example.com'),
	(38, 'customer 38', 'c38@example.com'),
	(39, 'customer 39', 'c39@example.com'),
	(20, 'customer 20', NULL),
	(30, 'customer 30', NULL),
	(40, 'customer 40', NULL),
	(41, 'customer 41', 'c41@example.com'),
	(10, 'customer 10', 'back@example.com'),
	(7, 'late', 'c7@example.com');
INSERT INTO public.events VALUES
	(1, 'event 1'),
	(2, 'event 2'),
	(3, 'event 3'),
	(4, 'event 4'),
	(5, 'event 5'),
	(6, 'event 6'),
	(7, 'event 7'),
	(8, 'event 8'),
	(9, 'event 9'),
	(10, 'event 10'),
	(11, 'event 11'),
	(12, 'event 12'),
	(13, 'event 13'),
	(14, 'event 14'),
	(15, 'event 15'),
	(16, 'event 16'),
	(17, 'event 17'),
	(18, 'event 18'),
	(19, 'event 19'),
	(20, 'event 20');
INSERT INTO public.events VALUES
	(21, 'event 21'),
	(21, 'twice');
INSERT INTO public.orders VALUES
	(6, 7, 7.50),
	(7, 8, 8.75),
	(8, 9, 10.00),
	(9, 10, 11.25),
	(11, 12, 13.75),
	(12, 13, 15.00),
	(13, 14, 16.25),
	(14, 15, 17.50),
	(15, 16, 18.75),
	(16, 17, 20.00),
	(17, 18, 21.25),
	(18, 19, 22.50),
	(19, 20, 23.75),
	(20, 21, 25.00),
	(21, 22, 26.25),
	(22, 23, 27.50),
	(23, 24, 28.75),
	(24, 25, 30.00),
	(25, 26, 31.25),
	(26, 27, 32.50);
INSERT INTO public.orders VALUES
	(27, 28, 33.75),
	(28, 29, 35.00),
	(29, 30, 36.25),
	(30, 31, 37.50),
	(31, 32, 38.75),
	(32, 33, 40.00),
	(33, 34, 41.25),
	(34, 35, 42.50),
	(35, 36, 43.75),
	(36, 37, 45.00),
	(37, 38, 46.25),
	(38, 39, 47.50),
	(39, 40, 48.75),
	(40, 1, 50.00),
	(41, 2, 51.25),
	(42, 3, 52.50),
	(43, 4, 53.75),
	(44, 5, 55.00),
	(45, 6, 56.25),
	(46, 7, 57.50);
INSERT INTO public.orders VALUES
	(47, 8, 58.75),
	(48, 9, 60.00),
	(49, 10, 61.25),
	(50, 11, 62.50),
	(51, 12, 63.75),
	(52, 13, 65.00),
	(53, 14, 66.25),
	(54, 15, 67.50),
	(55, 16, 68.75),
	(56, 17, 70.00),
	(57, 18, 71.25),
	(58, 19, 72.50),
	(59, 20, 73.75),
	(60, 21, 75.00),
	(10, 11, 0.00);
INSERT INTO public.products VALUES
	('p1', 'product 1'),
	('p2', 'product 2'),
	('p3', 'product 3'),
	('p4', 'product 4'),
	('p5', 'product 5'),
	('p6', 'product 6'),
	('p7', 'product 7'),
	('p8', 'product 8'),
	('p9', 'product 9'),
	('p10', 'product 10');
INSERT INTO public.sensors VALUES
	(1, '2026-01-01 01:00:00+00'),
	(2, '2026-01-01 02:00:00+00'),
	(4, '2026-01-01 04:00:00+00'),
	(5, '2026-01-01 05:00:00+00'),
	(6, '2026-01-01 06:00:00+00'),
	(7, '2026-01-01 07:00:00+00'),
	(8, '2026-01-01 08:00:00+00'),
	(9, '2026-01-01 09:00:00+00'),
	(10, '2026-01-01 10:00:00+00');
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.products
    ADD CONSTRAINT products_pkey PRIMARY KEY (code);
ALTER TABLE ONLY public.sensors
    ADD CONSTRAINT sensors_pkey PRIMARY KEY (id);
