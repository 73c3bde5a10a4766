-- Run once, by the owner of the database, when its volume is new: what the migrations take for granted.

-- Ids of runs and memories.
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

-- Of the role and not of the database or of this session, so that it still holds after the database was restored.
ALTER ROLE CURRENT_USER SET timezone TO 'UTC';
