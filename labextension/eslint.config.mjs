import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import tseslint from 'typescript-eslint';

const CODE = ['**/*.{ts,tsx,mjs}'];
// Not for the settings schema, which the Jupyter rules read as well.
const typed = [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked].map(
  config => ({
    ...config,
    files: CODE
  })
);

export default tseslint.config(
  { ignores: ['lib/', 'style/', 'node_modules/', '.yarn/'] },
  { ...js.configs.recommended, files: CODE },
  ...typed,
  { plugins: { jupyter } },
  ...jupyter.configs.recommended,
  {
    files: CODE,
    languageOptions: {
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      'jupyter/prefer-lazy-imports': 'off', // side bar and status bar need the panel at once
      complexity: ['error', 10],
      eqeqeq: 'error',
      'max-lines-per-function': ['error', 50],
      'no-restricted-globals': ['error', { name: 'fetch', message: 'Only request.ts calls the server.' }],
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'interface', format: ['PascalCase'], custom: { regex: '^I[A-Z]', match: true } }
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }]
    }
  },
  { files: ['*.mjs'], ...tseslint.configs.disableTypeChecked }
);
