import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A key and its certificate, both in PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
  readonly certFile: string;
}

export interface CertificateOptions {
  /** subjectAltName, such as `IP:127.0.0.1`. */
  readonly name: string;
  readonly expired?: boolean;
}

/** Makes a self-signed certificate in `folder` with the openssl program. */
export function createCertificate(folder: string, options: CertificateOptions): Certificate {
  const file = (name: string): string => path.join(folder, name);
  const to = options.expired === true ? '2021' : '2049';
  // `openssl req -x509` cannot make an expired one; `openssl ca` takes both dates.
  writeFileSync(file('index.txt'), '');
  writeFileSync(file('serial'), '01');
  writeFileSync(
    file('ca.cnf'),
    [
      '[ca]',
      'default_ca = own',
      '[own]',
      `dir = ${folder}`,
      `new_certs_dir = ${folder}`,
      `database = ${file('index.txt')}`,
      `serial = ${file('serial')}`,
      'default_md = sha256',
      'policy = any',
      'x509_extensions = names',
      '[any]',
      'commonName = supplied',
      '[names]',
      `subjectAltName = ${options.name}`,
      'basicConstraints = critical,CA:TRUE',
    ].join('\n'),
  );
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { stdio: 'pipe' });
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=test',
    '-keyout',
    file('key.pem'),
    '-out',
    file('csr.pem'),
  );
  openssl(
    'ca',
    '-batch',
    '-selfsign',
    '-notext',
    '-config',
    file('ca.cnf'),
    '-keyfile',
    file('key.pem'),
    '-in',
    file('csr.pem'),
    '-out',
    file('cert.pem'),
    '-startdate',
    '20200101000000Z',
    '-enddate',
    `${to}0101000000Z`,
  );
  const certFile = file('cert.pem');
  return {
    key: readFileSync(file('key.pem'), 'utf8'),
    cert: readFileSync(certFile, 'utf8'),
    certFile,
  };
}
