#!/bin/bash
# Makes the certificates of the tests anew, in this folder. Nobody trusts them, and the keys of the authorities are thrown
# away: whoever needs one more certificate makes all of them again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
begin=20200101000000Z
end=21191231000000Z

# sign NAME AUTHORITY COMMON-NAME BEGIN END EXTENSIONS: a certificate of an authority, or of itself, for the key NAME.key.
sign() {
    local name=$1 authority=$2 common=$3 from=$4 to=$5
    shift 5
    local folder=$work/$authority
    mkdir -p "$folder"
    [ -e "$folder/index" ] || { touch "$folder/index"; echo 1000 > "$folder/serial"; }
    local key=$work/$name.key certificate=("-cert" "$authority.pem" "-keyfile" "$work/$authority.key")
    if [ "$name" = "$authority" ]; then
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key"
        certificate=("-selfsign" "-keyfile" "$key")
    else
        key=${KEY:-$name}.key
        [ -e "$key" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key"
    fi
    openssl req -new -key "$key" -subj "/O=Martlet tests only/CN=$common" -out "$work/$name.csr"
    {
        printf '[ca]\ndefault_ca = c\n[c]\ndatabase = %s/index\nserial = %s/serial\n' "$folder" "$folder"
        printf 'new_certs_dir = %s\ndefault_md = sha256\npolicy = p\nunique_subject = no\n' "$folder"
        printf '[p]\norganizationName = supplied\ncommonName = supplied\n[x]\n'
        printf '%s\n' "$@"
    } > "$work/$name.cnf"
    openssl ca -config "$work/$name.cnf" -batch -notext -extensions x -startdate "$from" -enddate "$to" \
        "${certificate[@]}" -in "$work/$name.csr" -out "$name.pem" 2>/dev/null
}

rm -f ./*.pem ./*.key
authority=("basicConstraints = critical,CA:TRUE" "keyUsage = critical,keyCertSign,cRLSign" "subjectKeyIdentifier = hash")
leaf=("basicConstraints = critical,CA:FALSE" "keyUsage = critical,digitalSignature" \
    "extendedKeyUsage = serverAuth,clientAuth")
here="subjectAltName = DNS:localhost,DNS:martlet.test,IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3,IP:::1"

sign authority authority "Test authority" $begin $end "${authority[@]}"
sign stranger-authority stranger-authority "Another test authority" $begin $end "${authority[@]}"
sign server authority localhost $begin $end "${leaf[@]}" "$here"
sign elsewhere authority elsewhere.test $begin $end "${leaf[@]}" "subjectAltName = DNS:elsewhere.test"
sign client authority "A client" $begin $end "${leaf[@]}" "subjectAltName = DNS:client.test"
sign stranger stranger-authority "A stranger" $begin $end "${leaf[@]}" "$here"
KEY=server sign expired authority localhost 20010101000000Z 20020202000000Z "${leaf[@]}" "$here"
KEY=server sign early authority localhost 20990101000000Z $end "${leaf[@]}" "$here"
openssl pkcs8 -topk8 -in server.key -out locked.key -v2 aes-256-cbc -passout pass:secret
chmod 644 ./*.key
