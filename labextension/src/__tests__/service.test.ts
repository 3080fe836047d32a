import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ServiceModel } from '../service';
import { ApiError } from '../types';
import { FakeApi } from './tasks';

let api: FakeApi;
let service: ServiceModel;

beforeEach(() => {
  vi.stubGlobal('document', { hidden: false, addEventListener: vi.fn(), removeEventListener: vi.fn() });
  api = new FakeApi();
  service = new ServiceModel(api);
});

afterEach(() => {
  service.dispose();
  vi.unstubAllGlobals();
});

test('workers, cost and models are asked for once somebody looks', async () => {
  expect(api.calls).toEqual([]);

  service.setVisible(true);
  await vi.waitFor(() => {
    expect(service.models).not.toBeNull();
  });

  expect(service.workers?.workers).toEqual([]);
  expect(service.cost?.today).toBe(1.5);
  expect(service.problem).toBeNull();
});

test('the form needs the models alone, and only once', async () => {
  await service.loadModels();
  await service.loadModels();

  expect(api.calls).toEqual(['models']);
});

test('a server that is away is a problem until it is back', async () => {
  api.problem = new ApiError('The server is away.');
  service.setVisible(true);
  await vi.waitFor(() => {
    expect(service.problem?.message).toBe('The server is away.');
  });

  api.problem = null;
  service.setVisible(true);
  await vi.waitFor(() => {
    expect(service.problem).toBeNull();
  });
});
