-- What a new stand-in holds, in Redshift's SQL, run through the front. `\connect <database> <user>` changes the session.
\connect dev rdsdb
CREATE USER awsuser PASSWORD DISABLE CREATEDB;
ALTER USER awsuser CREATEUSER;
\connect dev awsuser
CREATE USER etl PASSWORD DISABLE;
CREATE USER finance_owner PASSWORD DISABLE;
CREATE USER analyst PASSWORD DISABLE;
CREATE GROUP analysts WITH USER analyst;
CREATE DATABASE sample WITH OWNER awsuser ISOLATION LEVEL SNAPSHOT;

CREATE SCHEMA finance AUTHORIZATION finance_owner;
GRANT CREATE, USAGE ON SCHEMA finance TO etl;
SET SESSION AUTHORIZATION 'finance_owner';
CREATE TABLE finance.accounts (account_id integer NOT NULL, owner varchar(100), opened date, balance decimal(12,2)) DISTSTYLE KEY DISTKEY (account_id) SORTKEY (opened);
CREATE TABLE finance.invoices (invoice_id bigint NOT NULL, account_id integer, total decimal(12,2), paid boolean DEFAULT false, issued timestamp);
INSERT INTO finance.accounts VALUES (1, 'Ada', '2024-01-31', 120.50), (2, 'Grace', '2024-02-29', 99.00);
INSERT INTO finance.invoices VALUES (10, 1, 20.25, true, '2024-03-01 10:00:00'), (11, 2, 7.75, false, '2024-03-02 11:30:00');
CREATE VIEW finance.open_invoices AS SELECT invoice_id, total FROM finance.invoices WHERE paid = false;
SET SESSION AUTHORIZATION 'etl';
CREATE TABLE finance.payments (payment_id bigint NOT NULL, invoice_id bigint, amount decimal(12,2), paid_at timestamp DEFAULT getdate());
INSERT INTO finance.payments VALUES (100, 10, 20.25, '2024-03-05 09:00:00');
SET SESSION AUTHORIZATION DEFAULT;

CREATE SCHEMA quality;
CREATE TABLE quality.checks (check_id integer NOT NULL, name varchar(200), sql_text varchar(max), created_at timestamp DEFAULT getdate());
CREATE TABLE quality.runs (run_id bigint NOT NULL, check_id integer, passed boolean, measured double precision);
CREATE MATERIALIZED VIEW quality.daily AS SELECT created_at::date AS day, count(*) AS failures FROM quality.checks GROUP BY created_at::date;
CREATE VIEW quality.latest AS SELECT check_id, passed FROM quality.runs WITH NO SCHEMA BINDING;
INSERT INTO quality.checks VALUES (1, 'no negative totals', 'select 1', '2024-04-01 00:00:00');
INSERT INTO quality.runs VALUES (1, 1, true, 0.0), (2, 1, false, 3.5);

\connect sample awsuser
CREATE SCHEMA tickit;
CREATE TABLE tickit.people (person_id integer NOT NULL SORTKEY, name varchar(60), city varchar(40), joined date) DISTSTYLE ALL;
CREATE TABLE tickit.venues (venue_id smallint NOT NULL, name varchar(100), city varchar(40), seats integer) DISTSTYLE ALL;
CREATE TABLE tickit.events (event_id integer NOT NULL DISTKEY, venue_id smallint, title varchar(200), starts_at timestamp) SORTKEY (starts_at);
CREATE TABLE tickit.sales (sale_id bigint NOT NULL, event_id integer NOT NULL DISTKEY, buyer_id integer, quantity smallint, price decimal(8,2), sold_at timestamp);
INSERT INTO tickit.people VALUES (1, 'Mira Olsen', 'Bergen', '2020-05-17'), (2, 'Teodor Ilic', 'Nis', '2021-11-03'), (3, 'Amara Diallo', 'Dakar', '2022-08-22');
INSERT INTO tickit.venues VALUES (1, 'Harbour Hall', 'Bergen', 1200), (2, 'Open Air Stage', 'Dakar', 5400);
INSERT INTO tickit.events VALUES (1, 1, 'Nordic Strings', '2024-06-01 19:30:00'), (2, 2, 'Night of Drums', '2024-07-12 21:00:00');
INSERT INTO tickit.sales VALUES (1, 1, 1, 2, 49.00, '2024-05-02 08:15:00'), (2, 2, 3, 4, 25.50, '2024-06-20 17:45:00'), (3, 2, 2, 1, 25.50, '2024-06-21 12:00:00');
CREATE VIEW tickit.sales_by_event AS SELECT e.title, sum(s.quantity * s.price) AS revenue FROM tickit.events e JOIN tickit.sales s ON s.event_id = e.event_id GROUP BY e.title;

\connect dev awsuser
CREATE USER tool_user PASSWORD DISABLE;
ALTER USER tool_user CREATEUSER;
