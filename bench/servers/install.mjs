// How the packages of a server come into a folder of the cache, and the command that starts it there.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cache, which } from '../programs.mjs';

const echo = fileURLToPath(new URL('echo/', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Per ecosystem: the programs it cannot do without, and how packages are installed with it. */
const ECOSYSTEMS = {
  npm: {
    tools: ['npm'],
    install: (run, folder, { packages }) => {
      writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
      const pinned = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
      run('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', ...pinned);
    },
    command: (folder, { source }) => [process.execPath, path.join(folder, source), '{port}'],
  },
  pypi: {
    tools: ['python3'],
    install: (run, folder, { packages }) => {
      run('python3', '-m', 'venv', 'venv');
      const pinned = Object.entries(packages).map(([name, version]) => `${name}==${version}`);
      run(path.join(folder, 'venv/bin/python'), '-m', 'pip', 'install', '--quiet', ...pinned);
    },
    command: (folder, { source, start = [source, '{port}'] }) => [
      path.join(folder, 'venv/bin/python'),
      ...start,
    ],
  },
  go: {
    tools: ['go'],
    install: (run, folder, { packages }) => {
      const required = Object.entries(packages).map((pinned) => `require ${pinned.join(' ')}\n`);
      writeFileSync(path.join(folder, 'go.mod'), `module echo\n\ngo 1.24\n\n${required.join('')}`);
      run('go', 'mod', 'tidy');
      run('go', 'build', '-o', 'server', '.');
    },
    command: (folder) => [path.join(folder, 'server'), '{port}'],
  },
  cargo: {
    tools: ['cargo'],
    install: (run, folder, { source, packages, features = {} }) => {
      const required = Object.entries(packages).map(([name, version]) => {
        const chosen = JSON.stringify(features[name] ?? []);
        return `${name} = { version = "=${version}", features = ${chosen} }\n`;
      });
      const about = '[package]\nname = "server"\nversion = "0.0.0"\nedition = "2021"\n';
      const bin = `[[bin]]\nname = "server"\npath = "${source}"\n`;
      writeFileSync(
        path.join(folder, 'Cargo.toml'),
        `${about}\n${bin}\n[dependencies]\n${required.join('')}`,
      );
      run('cargo', 'build', '--quiet');
    },
    command: (folder) => [path.join(folder, 'target/debug/server'), '{port}'],
  },
  maven: {
    tools: ['mvn', 'java'],
    install: (run, folder, { packages }) => {
      const required = Object.entries(packages).map(([name, version]) => {
        const [group, artifact] = name.split(':');
        return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
      });
      writeFileSync(
        path.join(folder, 'pom.xml'),
        `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>echo</groupId><artifactId>echo</artifactId><version>0</version>
<dependencies>${required.join('\n')}</dependencies></project>\n`,
      );
      run('mvn', '--batch-mode', '--quiet', 'dependency:copy-dependencies');
    },
    command: (folder, { source }) => {
      const classes = path.join(folder, 'target/dependency/*');
      return ['java', '-cp', classes, path.join(folder, source), '{port}'];
    },
  },
  debian: {
    command: (_folder, { start: [name, ...args] }) => [which(name), ...args],
  },
};

/** The versions in the table, as text. */
export function versionOf({ packages }) {
  return Object.entries(packages)
    .map((pinned) => pinned.join(' '))
    .join(', ');
}

/** Whether `npm ci` in this repository brings exactly what the server needs. */
export function isInRepository({ from, packages }) {
  return (
    from === 'npm' &&
    Object.entries(packages).every(([name, version]) => {
      const manifest = path.join(root, 'node_modules', name, 'package.json');
      return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === version;
    })
  );
}

/**
 * Installs what is not there yet of a server whose source is in `sources`; returns the command, its
 * working folder and the version, or `missing`: why there is none, in one line.
 */
export function installed(server, sources = echo) {
  const { from, source, packages } = server;
  const version = versionOf(server);
  const ecosystem = ECOSYSTEMS[from];
  if (isInRepository(server)) {
    return { command: ecosystem.command(sources, server), cwd: sources, version };
  }
  if (from === 'debian') {
    const [program] = server.start;
    if (which(program)) {
      const command = ecosystem.command(sources, server);
      return { command, cwd: sources, version: debianVersion(packages) };
    }
    return { missing: `no ${program}: apt-get install ${Object.keys(packages).join(' ')}` };
  }
  const text = readFileSync(path.join(sources, source), 'utf8');
  const key = createHash('sha256')
    .update(JSON.stringify([packages, server.features]))
    .update(text)
    .digest('hex');
  const folder = path.join(cache, 'servers', `${server.name}-${key.slice(0, 12)}`);
  const done = path.join(folder, 'installed');
  if (!existsSync(done)) {
    const lacking = ecosystem.tools.find((tool) => !which(tool));
    if (lacking) return { missing: `no ${lacking} on the PATH` };
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    copyFileSync(path.join(sources, source), path.join(folder, source));
    const run = (file, ...args) => execFileSync(file, args, { cwd: folder, stdio: 'pipe' });
    try {
      ecosystem.install(run, folder, server);
    } catch (error) {
      const said = String(error.stderr ?? error.message).trim();
      return { missing: `${ecosystem.tools[0]} failed: ${said.split('\n').at(-1)}` };
    }
    writeFileSync(done, '');
  }
  return { command: ecosystem.command(folder, server), cwd: folder, version };
}

/** The versions that Debian installed, as text. */
function debianVersion(packages) {
  return Object.keys(packages)
    .map((name) => {
      const query = ['dpkg-query', '--show', '--showformat', '${Package} ${Version}', name];
      try {
        return execFileSync(query[0], query.slice(1), { encoding: 'utf8', stdio: 'pipe' });
      } catch {
        return `${name} of unknown version`;
      }
    })
    .join(', ');
}
