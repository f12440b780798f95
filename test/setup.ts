// The babysitter SDK switches to `require('file://...')` when it sees this variable, and every
// process load then fails; child processes inherit the environment, so it goes for them too.
delete process.env['VITEST'];
