// A Vendure server over PostgreSQL, in the folder where its packages are: `node club.js`. Its environment names the port,
// the password of its first administrator and the database; it prints READY when it answers.
const { DefaultLogger, LogLevel, bootstrap } = require('@vendure/core');

const { PORT, PASSWORD, PGHOST, PGPORT, PGDATABASE, PGUSER } = process.env;

bootstrap({
  apiOptions: { hostname: '127.0.0.1', port: Number(PORT), adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    tokenMethod: ['bearer', 'api-key'],
    superadminCredentials: { identifier: 'superadmin', password: PASSWORD },
  },
  dbConnectionOptions: {
    type: 'postgres',
    synchronize: true,
    host: PGHOST,
    port: Number(PGPORT),
    database: PGDATABASE,
    username: PGUSER,
  },
  logger: new DefaultLogger({ level: LogLevel.Warn }),
  paymentOptions: { paymentMethodHandlers: [] },
  plugins: [],
}).then(
  () => console.log('READY'),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
