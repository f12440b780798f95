// The babysitter SDK switches to `require('file://...')` when it sees this variable, and every
// process load then fails; child processes inherit the environment, so it goes for them too.
delete process.env['VITEST'];

// Colours follow the terminal and CI; what tests compare is plain text everywhere.
process.env['NO_COLOR'] = '1';
delete process.env['FORCE_COLOR'];
