export { EnvironmentWatch, environmentNotes } from './environment.ts';
