# Thin on purpose: each target is one script of .make, where the reasons are.
#   make test PG=18                 another major version of PostgreSQL (15 to 18; what Debian has no package of is built once)
#   make run GATEWAY_PORT=9080      other ports: GATEWAY_PORT, APP_PORT, PG_PORT
#   make run ISSUER=https://…        behind a proxy that speaks TLS (.make/run has the rest: LISTEN, TRUSTED_PROXIES, CLIENT_CERTIFICATE_HEADER, FETCH_ALLOW …)
#   make test T=refresh             only tests, or measures of make bench, whose names contain this
export PG GATEWAY_PORT APP_PORT PG_PORT ISSUER LISTEN TRUSTED_PROXIES FETCH_ALLOW FETCH_EXTRA_CA
export CLIENT_CERTIFICATE_HEADER CLIENT_CERTIFICATE_ENCODING CLIENT_CERTIFICATE_CHAIN MTLS_ENDPOINT_ALIASES

.PHONY: help run clean-run psql test fuzz lint bench api format

help: ## what there is
	@sed -n 's/^\([a-z-]*\): ## /  make \1	/p' Makefile | expand -t 20

run: ## install what is missing, build, and run everything until Ctrl-C
	@.make/run

clean-run: ## forget the data of make run
	@.make/forget

psql: ## psql in the database of make run
	@.make/psql

test: ## every test, on throw-away clusters
	@.make/test $(T)

fuzz: ## the property tests, a million cases each: about ten minutes
	@.make/fuzz $(T)

lint: ## formatting, clippy, dependencies, scripts
	@.make/lint

bench: ## measure everything against a primitive, a floor or a peer; prints a table
	@.make/bench $(T)

api: ## write sql/API.md, the page of the SQL API, from the comments in the catalog
	@.make/api

format: ## format the Rust code
	@cargo fmt --all
