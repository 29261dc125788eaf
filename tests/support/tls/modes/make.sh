#!/bin/sh
# Makes the certificates of this folder anew, with OpenSSL 3: tests/db/tls_modes has what each is for.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
days=36500

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

authority() { # NAME SUBJECT
    key "$work/$1.key"
    openssl req -x509 -new -key "$work/$1.key" -subj "/CN=$2" -days $days -out "$1.pem" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# NAME SUBJECT AUTHORITY EXTENSIONS…, each on a line of its own; without any it is of X.509 version 1.
signed() {
    name=$1 subject=$2 authority=$3
    shift 3
    openssl req -new -key server.key -subj "/CN=$subject" -out "$work/request"
    : >"$work/extensions"
    for extension in "$@"; do echo "$extension" >>"$work/extensions"; done
    openssl x509 -req -in "$work/request" -CA "$authority.pem" -CAkey "$work/$authority.key" -set_serial "0x$(openssl rand -hex 8)" \
        -days $days -out "$name.pem" ${1:+-extfile "$work/extensions"}
}

# What was valid on one day of 2020 only.
past() { # NAME SUBJECT AUTHORITY EXTENSIONS…, or `self` for one that is its own authority
    name=$1 subject=$2 authority=$3
    shift 3
    openssl req -new -key server.key -subj "/CN=$subject" -out "$work/request"
    printf '%s\n' "[any]" "$@" >"$work/extensions"
    : >"$work/index" && openssl rand -hex 8 >"$work/serial"
    printf '%s\n' "[ca]" "default_ca=own" "[own]" "database=$work/index" "serial=$work/serial" "new_certs_dir=$work" \
        "default_md=sha256" "policy=any_name" "[any_name]" "commonName=supplied" >"$work/config"
    if [ "$authority" = self ]; then
        set -- -selfsign -keyfile server.key
    else
        set -- -cert "$authority.pem" -keyfile "$work/$authority.key"
    fi
    openssl ca -batch -notext -config "$work/config" "$@" -in "$work/request" -out "$name.pem" \
        -startdate 20200101000000Z -enddate 20200102000000Z -extfile "$work/extensions" -extensions any
}

revocations() { # NAME AUTHORITY CERTIFICATE DAYS
    : >"$work/index" && echo 01 >"$work/crlnumber"
    printf '%s\n' "[ca]" "default_ca=own" "[own]" "database=$work/index" "crlnumber=$work/crlnumber" "default_md=sha256" \
        >"$work/config"
    openssl ca -config "$work/config" -cert "$2.pem" -keyfile "$work/$2.key" -revoke "$3.pem"
    openssl ca -config "$work/config" -cert "$2.pem" -keyfile "$work/$2.key" -gencrl $4 -out "$1.pem"
}

leaf=basicConstraints=critical,CA:FALSE
key server.key
authority ca "profile-loader modes CA"
authority other-ca "profile-loader other CA"
signed right "anything" ca $leaf subjectAltName=DNS:db.test
signed other-host "anything" ca $leaf subjectAltName=DNS:other.test
signed wildcard "anything" ca $leaf "subjectAltName=DNS:*.test"
signed address "anything" ca $leaf subjectAltName=IP:127.0.0.1
signed address-as-name "anything" ca $leaf subjectAltName=DNS:127.0.0.1
signed common-name db.test ca $leaf
signed common-name-hidden db.test ca $leaf subjectAltName=DNS:other.test
signed version-1 db.test ca
signed wrong-ca "anything" other-ca $leaf subjectAltName=DNS:db.test
signed revoked "anything" ca $leaf subjectAltName=DNS:db.test
signed for-clients "anything" ca $leaf subjectAltName=DNS:db.test extendedKeyUsage=clientAuth
# The certificates of authorities in between, which the server sends along, and what they sign.
cp server.key "$work/between.key"
signed between "profile-loader modes CA between" ca basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign
signed chain "anything" between $leaf subjectAltName=DNS:db.test
cat between.pem >>chain.pem
signed between "profile-loader modes CA of names" ca basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign \
    "nameConstraints=critical,permitted;DNS:other.test"
signed common-name-limited db.test between $leaf
cat between.pem >>common-name-limited.pem
rm between.pem
past expired "anything" ca $leaf subjectAltName=DNS:db.test
past expired-root "profile-loader old CA" self basicConstraints=critical,CA:TRUE
openssl req -x509 -new -key server.key -subj "/CN=db.test" -days $days -out self-signed.pem
revocations revocations ca revoked "-crldays $days"
revocations old-revocations ca revoked "-crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z"
key client.key
openssl req -new -key client.key -subj "/CN=with_certificate" -out "$work/request"
openssl x509 -req -in "$work/request" -CA ca.pem -CAkey "$work/ca.key" -set_serial 77 -days $days -out client.pem
openssl pkcs8 -topk8 -in client.key -passout pass:passphrase -out client-encrypted.key
