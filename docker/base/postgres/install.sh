#!/bin/sh
# Installs Debian's PostgreSQL of the suite into a base image, with the official image's user, folders and settings.
#
#   install.sh MAJOR
set -eu

major=$1

groupadd -r -g 999 postgres
useradd -r -u 999 -g postgres -d /var/lib/postgresql -s /bin/bash postgres
apt-get update -qq
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq gosu locales postgresql-common zstd xz-utils >/dev/null 2>&1
localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8
sed -ri 's/#(create_main_cluster) .*$/\1 = false/' /etc/postgresql-common/createcluster.conf
apt-get install -y -qq "postgresql-$major" >/dev/null 2>&1
rm -rf /var/lib/apt/lists/* /var/lib/postgresql
sed -ri "s!^#?(listen_addresses)\s*=\s*\S+.*!\1 = '*'!" "/usr/share/postgresql/$major/postgresql.conf.sample"
install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data
install -d -o postgres -g postgres -m 3777 /var/run/postgresql
mkdir /docker-entrypoint-initdb.d
